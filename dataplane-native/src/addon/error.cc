#include "addon/error.h"

namespace nf {

Napi::Error ToError(Napi::Env env, const Error& error) {
  Napi::Error made = Napi::Error::New(env, error.message);
  made.Set("code", Napi::String::New(env, ErrorCodeName(error.code)));
  return made;
}

}  // namespace nf
