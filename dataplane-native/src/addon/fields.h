// Fields of JavaScript objects by name and type. What is not of the type throws a TypeError that names the field.
#pragma once

#include <napi.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace nf {

Napi::TypeError Wrong(Napi::Env env, const char* field, const char* wanted);

// False for undefined.
bool Has(const Napi::Object& from, const char* field);
bool Flag(const Napi::Object& from, const char* field);
uint32_t Number(const Napi::Object& from, const char* field);
uint16_t Number16(const Napi::Object& from, const char* field);
std::string Text(const Napi::Object& from, const char* field);
std::vector<uint16_t> Numbers16(const Napi::Object& from, const char* field);
std::vector<uint64_t> BigInts(const Napi::Object& from, const char* field);
std::vector<std::string> Texts(const Napi::Object& from, const char* field);
std::vector<uint8_t> Bytes(const Napi::Object& from, const char* field);  // A Uint8Array, copied.
Napi::Object Child(const Napi::Object& from, const char* field);
Napi::Array List(const Napi::Object& from, const char* field);

template <typename T>
T OneOf(const Napi::Object& from, const char* field, std::initializer_list<std::pair<const char*, T>> values) {
  std::string text = Text(from, field);
  for (const auto& [name, value] : values) {
    if (text == name) return value;
  }
  throw Wrong(from.Env(), field, "one of its known words");
}

}  // namespace nf
