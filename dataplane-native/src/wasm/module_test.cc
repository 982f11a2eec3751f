// What becomes native code, and what does not.
#include "wasm/module.h"

#include <gtest/gtest.h>

#include "wasm/test_modules.h"

namespace nf {
namespace {

class ModuleTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> engine_ = std::move(*Engine::Create({}));

  void Refuses(const std::string& text, ErrorCode code, const char* says) {
    auto native = Module::Compile(*engine_, WasmFromText(text));
    ASSERT_FALSE(native.has_value()) << text;
    EXPECT_EQ(native.error().code, code) << native.error().message;
    EXPECT_NE(native.error().message.find(says), std::string::npos) << native.error().message;
    EXPECT_EQ(native.error().message.find('\n'), std::string::npos);
  }
  void RefusesMore(const std::string& more) {
    SCOPED_TRACE(more);
    Refuses(TestText({.more = more}), ErrorCode::kNfCompile, "");
  }
  std::string Replaced(const std::string& from, const std::string& to) {
    std::string text = TestText({});
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
};

TEST_F(ModuleTest, CompiledCodeLoads) {
  std::vector<uint8_t> native = NativeTest(*engine_, {});
  EXPECT_TRUE(Module::Load(*engine_, native).has_value());
  auto other = std::move(*Engine::Create({}));
  EXPECT_TRUE(Module::Load(*other, native).has_value());
}

TEST_F(ModuleTest, CodeOfAnotherSettingOrRubbishDoesNotLoad) {
  auto unwatched = std::move(*Engine::Create({.watchdog = false}));
  auto loaded = Module::Load(*engine_, NativeTest(*unwatched, {}));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kNfCompile);
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{5000}}) {
    EXPECT_FALSE(Module::Load(*engine_, std::vector<uint8_t>(bytes, 0x5a)).has_value());
  }
  std::vector<uint8_t> wasm = WasmFromText(TestText({}));
  EXPECT_FALSE(Module::Load(*engine_, wasm).has_value());
}

TEST_F(ModuleTest, ProposalsOutsideTheAbiAreOff) {
  RefusesMore("(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))");
  RefusesMore("(func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))");
  RefusesMore("(func (drop (v128.const i32x4 0 0 0 0)))");
  RefusesMore("(func (drop (i32.atomic.load (i32.const 0))))");
  RefusesMore("(func $f (return_call $f))");
  RefusesMore("(memory 1 1)");
  RefusesMore("(tag $t) (func (throw $t))");
  RefusesMore("(type (struct (field i32)))");
  RefusesMore("(func (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0))))");
  Refuses(Replaced("(memory (export \"memory\") 32769 32769)", "(memory (export \"memory\") i64 32769 32769)"),
          ErrorCode::kNfCompile, "");
}

TEST_F(ModuleTest, TheInterfaceIsExact) {
  using enum ErrorCode;
  Refuses(Replaced("\"flow-close\"", "\"flow_close\""), kAdmissionRefused, "lacks the export flow-close");
  Refuses(Replaced("(param $n i32)", "(param $n i64) (param $m i32)") + "", kNfCompile, "");
  Refuses("(module (func (export \"tick\") (param i32)))", kAdmissionRefused, "exports tick with another type");
  Refuses("(module (func (export \"init\") (result i32) (i32.const 0)))", kAdmissionRefused, "exports init with");
  Refuses("(module (global (export \"init\") i32 (i32.const 0)))", kAdmissionRefused, "exports init with");
  Refuses("(module (global (export \"memory\") i32 (i32.const 0)))", kAdmissionRefused, "something else");
  Refuses("(module)", kAdmissionRefused, "memory");
  Refuses("(module (import \"env\" \"f\" (func)))", kAdmissionRefused, "imports");
}

TEST_F(ModuleTest, TheMemoryIsOfAFixedSizeWithinBounds) {
  for (const char* limits : {"1 1", "32768 32768", "32769", "32769 32770", "33793 33793", "65536 65536"}) {
    Refuses(Replaced("32769 32769", limits), ErrorCode::kAdmissionRefused, "a fixed size of 32769 to 33792 pages");
  }
  EXPECT_TRUE(LoadTest(*engine_, {.heap_pages = abi::kHeapPagesMax}).has_value());
}

}  // namespace
}  // namespace nf
