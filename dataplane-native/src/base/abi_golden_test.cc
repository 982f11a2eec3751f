// The golden bytes of sdk/abi/golden, read and written through the generated structs. They were laid out by hand.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <type_traits>

#include "nf_abi.h"
#include "nf_abi_fields.h"

namespace nf::abi {
namespace {

struct Golden {
  std::string bytes;
  std::map<std::string, std::string> fields;  // As written: decimal, or x and hex digits.
};

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::map<std::string, Golden> ReadGolden() {
  std::map<std::string, Golden> records;
  Golden* record = nullptr;
  std::ifstream file(NF_ABI_GOLDEN);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (const size_t equals = line.find('='); equals != std::string::npos) {
      record->fields[line.substr(0, equals)] = line.substr(equals + 1);
    } else {
      const size_t space = line.find(' ');
      record = &records[line.substr(0, space)];
      record->bytes = FromHex(line.substr(space + 1));
    }
  }
  return records;
}

template <typename T>
void ExpectField(const T& field, const std::string& value) {
  if constexpr (std::is_array_v<T>) {
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(field), sizeof field), FromHex(value.substr(1)));
  } else {
    EXPECT_EQ(static_cast<uint64_t>(field), std::stoull(value));
  }
}

template <typename T>
void SetField(T& field, const std::string& value) {
  if constexpr (std::is_array_v<T>) {
    const std::string bytes = FromHex(value.substr(1));
    ASSERT_EQ(bytes.size(), sizeof field);
    std::memcpy(field, bytes.data(), sizeof field);
  } else {
    field = static_cast<T>(std::stoull(value));
  }
}

// A test for each record: every field is in the file, is read from the bytes, and written as these bytes.
#define NF_EXPECT_FIELD(name)                        \
  {                                                  \
    SCOPED_TRACE(#name);                             \
    ASSERT_TRUE(golden.fields.contains(#name));      \
    ExpectField(read.name, golden.fields.at(#name)); \
    SetField(written.name, golden.fields.at(#name)); \
    ++fields;                                        \
  }
#define NF_TEST_RECORD(record, Struct, FIELDS)                                                     \
  TEST(AbiGoldenTest, Struct) {                                                                    \
    const Golden golden = ReadGolden()[#record];                                                   \
    ASSERT_EQ(golden.bytes.size(), sizeof(abi::Struct));                                           \
    abi::Struct read, written;                                                                     \
    std::memcpy(&read, golden.bytes.data(), sizeof read);                                          \
    std::memset(&written, 0, sizeof written);                                                      \
    size_t fields = 0;                                                                             \
    FIELDS(NF_EXPECT_FIELD)                                                                        \
    EXPECT_EQ(fields, golden.fields.size());                                                       \
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(&written), sizeof written), golden.bytes); \
  }
NF_ABI_RECORDS(NF_TEST_RECORD)

}  // namespace
}  // namespace nf::abi
