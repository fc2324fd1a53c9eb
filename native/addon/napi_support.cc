// SPDX-License-Identifier: Apache-2.0
#include "napi_support.h"

#include <cstring>

namespace hako {

Napi::Error ErrorOf(Napi::Env env, const Failure &failure) {
  std::string message = failure.syscall + ": " + std::strerror(failure.error);
  Napi::Error error = Napi::Error::New(env, message);
  Napi::Object object = error.Value();
  object.Set("errno", failure.error);
  object.Set("syscall", failure.syscall);
  if (!failure.path.empty()) object.Set("path", failure.path);
  if (!failure.detail.empty()) object.Set("detail", failure.detail);
  return error;
}

Napi::Value BytesToValue(Napi::Env env, const void *data, size_t size) {
  void *memory = nullptr;
  napi_value buffer = nullptr, array = nullptr;
  if (napi_create_arraybuffer(env, size, &memory, &buffer) != napi_ok) return env.Undefined();
  if (size > 0) std::memcpy(memory, data, size);
  if (napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &array) != napi_ok) return env.Undefined();
  return Napi::Value(env, array);
}

std::string Arguments::StringOf(const Napi::Value &value) {
  if (!Check(value.IsString())) return {};
  std::string text = value.As<Napi::String>().Utf8Value();
  Check(text.find('\0') == std::string::npos);
  return text;
}

int Arguments::IntOf(const Napi::Value &value) {
  if (!Check(value.IsNumber())) return -1;
  double wide = value.As<Napi::Number>().DoubleValue();
  int number = value.As<Napi::Number>().Int32Value();
  Check(wide == static_cast<double>(number));
  return number;
}

uint64_t Arguments::Uint64Of(const Napi::Value &value) {
  if (!Check(value.IsBigInt())) return 0;
  bool lossless = false;
  uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  Check(lossless);
  return number;
}

Napi::Array Arguments::ArrayOf(const Napi::Value &value) {
  return Check(value.IsArray()) ? value.As<Napi::Array>() : Napi::Array::New(info_.Env());
}

Napi::Object Arguments::Object(size_t index) {
  return Check(info_[index].IsObject()) ? info_[index].As<Napi::Object>() : Napi::Object::New(info_.Env());
}

std::vector<std::string> Arguments::StringsOf(const Napi::Value &value) {
  Napi::Array array = ArrayOf(value);
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); i++) strings.push_back(StringOf(array.Get(i)));
  return strings;
}

std::vector<uint8_t> Arguments::Bytes(size_t index) {
  Napi::Value value = info_[index];
  if (!Check(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array)) return {};
  auto bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

Napi::Value Arguments::Throw() {
  Napi::TypeError::New(info_.Env(), "hako.node was called with arguments of the wrong type").ThrowAsJavaScriptException();
  return info_.Env().Undefined();
}

}  // namespace hako
