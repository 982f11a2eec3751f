#include "addon/fields.h"

#include <cmath>

namespace nf {

Napi::TypeError Wrong(Napi::Env env, const char* field, const char* wanted) {
  return Napi::TypeError::New(env, std::string("native addon: ") + field + " must be " + wanted);
}

bool Has(const Napi::Object& from, const char* field) { return !from.Get(field).IsUndefined(); }

bool Flag(const Napi::Object& from, const char* field) {
  Napi::Value value = from.Get(field);
  if (!value.IsBoolean()) throw Wrong(from.Env(), field, "a boolean");
  return value.As<Napi::Boolean>();
}

namespace {

// -1 for what is no whole number from 0 to `most`.
double Whole(const Napi::Value& value, double most) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  return number >= 0 && number <= most && std::floor(number) == number ? number : -1;
}

}  // namespace

uint32_t Number(const Napi::Object& from, const char* field) {
  double number = Whole(from.Get(field), UINT32_MAX);
  if (number < 0) throw Wrong(from.Env(), field, "a whole number of 32 bits");
  return static_cast<uint32_t>(number);
}

uint16_t Number16(const Napi::Object& from, const char* field) {
  double number = Whole(from.Get(field), UINT16_MAX);
  if (number < 0) throw Wrong(from.Env(), field, "a whole number of 16 bits");
  return static_cast<uint16_t>(number);
}

std::vector<uint16_t> Numbers16(const Napi::Object& from, const char* field) {
  Napi::Array list = List(from, field);
  std::vector<uint16_t> numbers;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    double number = Whole(list[i], UINT16_MAX);
    if (number < 0) throw Wrong(from.Env(), field, "whole numbers of 16 bits");
    numbers.push_back(static_cast<uint16_t>(number));
  }
  return numbers;
}

std::vector<uint64_t> BigInts(const Napi::Object& from, const char* field) {
  Napi::Array list = List(from, field);
  std::vector<uint64_t> numbers;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    Napi::Value value = list[i];
    bool is_whole = false;
    if (value.IsBigInt()) numbers.push_back(value.As<Napi::BigInt>().Uint64Value(&is_whole));
    if (!is_whole) throw Wrong(from.Env(), field, "bigints of 64 bits");
  }
  return numbers;
}

std::string Text(const Napi::Object& from, const char* field) {
  Napi::Value value = from.Get(field);
  if (!value.IsString()) throw Wrong(from.Env(), field, "a string");
  return value.As<Napi::String>();
}

std::vector<std::string> Texts(const Napi::Object& from, const char* field) {
  Napi::Array list = List(from, field);
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    Napi::Value value = list[i];
    if (!value.IsString()) throw Wrong(from.Env(), field, "strings");
    texts.push_back(value.As<Napi::String>());
  }
  return texts;
}

std::vector<uint8_t> Bytes(const Napi::Object& from, const char* field) {
  Napi::Value value = from.Get(field);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Wrong(from.Env(), field, "a Uint8Array");
  }
  auto array = value.As<Napi::Uint8Array>();
  return std::vector<uint8_t>(array.Data(), array.Data() + array.ByteLength());
}

Napi::Object Child(const Napi::Object& from, const char* field) {
  Napi::Value value = from.Get(field);
  if (!value.IsObject()) throw Wrong(from.Env(), field, "an object");
  return value.As<Napi::Object>();
}

Napi::Array List(const Napi::Object& from, const char* field) {
  Napi::Value value = from.Get(field);
  if (!value.IsArray()) throw Wrong(from.Env(), field, "an array");
  return value.As<Napi::Array>();
}

}  // namespace nf
