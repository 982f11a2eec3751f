#include "nfactord/compile.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "wasm/test_modules.h"

namespace nf {
namespace {

class CompileTest : public testing::Test {
 protected:
  CompileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nfactor-compile-test-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~CompileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const char* name) { return (folder_ / name).string(); }
  void Write(const char* name, const std::vector<uint8_t>& bytes) {
    std::ofstream(Path(name), std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  size_t Files() { return std::distance(std::filesystem::directory_iterator(folder_), {}); }

  std::filesystem::path folder_;
};

TEST_F(CompileTest, TheArtifactRuns) {
  Write("in.wasm", WasmFromText(TestText({})));
  ASSERT_EQ(CompileFile(Path("in.wasm").c_str(), Path("out.native").c_str()), kExitDone);
  EXPECT_EQ(Files(), 2u);
  std::ifstream file(Path("out.native"), std::ios::binary);
  std::vector<char> native{std::istreambuf_iterator<char>(file), {}};
  auto engine = std::move(*Engine::Create({}));
  auto module = Module::Load(*engine, {reinterpret_cast<uint8_t*>(native.data()), native.size()});
  ASSERT_TRUE(module.has_value()) << module.error().message;
  TestAreas areas;
  auto instance = Instance::Create(*engine, *module, areas.Plan());
  ASSERT_TRUE(instance.has_value());
  ASSERT_TRUE((*instance)->ProcessBurst(1));
  EXPECT_EQ((*instance)->results()[0].verdict, static_cast<uint8_t>(abi::Verdict::kForward));
}

TEST_F(CompileTest, WhatIsRefusedLeavesNothing) {
  Write("rubbish.wasm", {1, 2, 3});
  Write("large.wasm", std::vector<uint8_t>(abi::kModuleBytesMax + 1));
  Write("simd.wasm", WasmFromText(TestText({.more = "(func (drop (v128.const i32x4 0 0 0 0)))"})));
  Write("bare.wasm", WasmFromText("(module)"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(CompileFile(Path("rubbish.wasm").c_str(), Path("out").c_str()), kExitRefused);
  EXPECT_EQ(CompileFile(Path("large.wasm").c_str(), Path("out").c_str()), kExitFiles);
  EXPECT_EQ(CompileFile(Path("simd.wasm").c_str(), Path("out").c_str()), kExitRefused);
  EXPECT_EQ(CompileFile(Path("bare.wasm").c_str(), Path("out").c_str()), kExitRefused);
  EXPECT_EQ(CompileFile(Path("missing.wasm").c_str(), Path("out").c_str()), kExitFiles);
  EXPECT_EQ(CompileFile(Path("bare.wasm").c_str(), Path("no/folder").c_str()), kExitFiles);
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 6) << said;
  EXPECT_EQ(Files(), 4u);
}

}  // namespace
}  // namespace nf
