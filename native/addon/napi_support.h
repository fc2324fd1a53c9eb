// SPDX-License-Identifier: Apache-2.0
//
// Between N-API and plain C++: arguments in, outcomes out. Nothing here or in
// the files that use it is static and mutable, so the addon may be loaded in any
// number of threads and as often as one likes.
#ifndef HAKO_ADDON_NAPI_SUPPORT_H
#define HAKO_ADDON_NAPI_SUPPORT_H

// A worker thread may be terminated while work of its is under way: then no
// exception can be thrown into it any more, and that must not end the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outcome.h"

namespace hako {

Napi::Error ErrorOf(Napi::Env env, const Failure &failure);

// A Uint8Array of its own; undefined in a thread that is being terminated, where
// at any moment nothing can be made any more.
Napi::Value BytesToValue(Napi::Env env, const void *data, size_t size);

// Reads arguments by position. Their values were validated in TypeScript; what
// is of another type is a mistake in that code, remembered here and thrown once.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo &info) : info_(info) {}

  std::string String(size_t index) { return StringOf(info_[index]); }
  int Int(size_t index) { return IntOf(info_[index]); }
  bool Bool(size_t index) { return Check(info_[index].IsBoolean()) && info_[index].As<Napi::Boolean>().Value(); }
  std::vector<uint8_t> Bytes(size_t index);
  std::vector<std::string> StringsOf(const Napi::Value &value);
  std::string StringOf(const Napi::Value &value);
  int IntOf(const Napi::Value &value);
  // A descriptor, or -1 for null.
  int FdOrNullOf(const Napi::Value &value) { return value.IsNull() ? -1 : IntOf(value); }
  uint64_t Uint64Of(const Napi::Value &value);
  Napi::Array ArrayOf(const Napi::Value &value);
  Napi::Object Object(size_t index);

  bool Check(bool sound) {
    if (!sound) sound_ = false;
    return sound;
  }
  bool Sound() const { return sound_; }
  Napi::Value Throw();

 private:
  const Napi::CallbackInfo &info_;
  bool sound_ = true;
};

template <typename T, typename Convert>
Napi::Value Return(Napi::Env env, Outcome<T> outcome, Convert convert) {
  if (const Failure *failure = std::get_if<Failure>(&outcome)) {
    ErrorOf(env, *failure).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return convert(env, *std::get_if<T>(&outcome));
}

// Runs `work` on the thread pool; gives a promise of what `convert` makes of its result.
template <typename T, typename Work, typename Convert>
class Task final : public Napi::AsyncWorker {
 public:
  Task(Napi::Env env, const char *name, napi_deferred deferred, Work work, Convert convert)
      : AsyncWorker(env, name), deferred_(deferred), work_(std::move(work)), convert_(std::move(convert)) {}

 protected:
  void Execute() override { outcome_.emplace(work_()); }

  void OnOK() override {
    Napi::Env env = Env();
    if (const Failure *failure = std::get_if<Failure>(&*outcome_)) {
      napi_reject_deferred(env, deferred_, ErrorOf(env, *failure).Value());
    } else {
      napi_resolve_deferred(env, deferred_, convert_(env, *std::get_if<T>(&*outcome_)));
    }
  }

 private:
  napi_deferred deferred_;
  Work work_;
  Convert convert_;
  std::optional<Outcome<T>> outcome_;
};

template <typename T, typename Work, typename Convert>
Napi::Value RunAsync(Napi::Env env, const char *name, Work work, Convert convert) {
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  // Not by Napi::Promise::Deferred, which in a thread that is being terminated gives whatever was on the stack.
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return env.Undefined();
  auto *task = new Task<T, Work, Convert>(env, name, deferred, std::move(work), std::move(convert));
  task->Queue();
  return Napi::Value(env, promise);
}

inline Napi::Value ToUndefined(Napi::Env env, Nothing &) {
  return env.Undefined();
}

template <typename F>
void Export(Napi::Object exports, const char *name, F function) {
  exports.Set(name, Napi::Function::New(exports.Env(), function, name));
}

// One for each family of system calls, in the file of the same name.
void RegisterFiles(Napi::Object exports);
void RegisterIdmap(Napi::Object exports);
void RegisterKernelFiles(Napi::Object exports);
void RegisterMemfd(Napi::Object exports);
void RegisterMount(Napi::Object exports);
void RegisterProbe(Napi::Object exports);
void RegisterProcess(Napi::Object exports);
void RegisterQuota(Napi::Object exports);
void RegisterSeccomp(Napi::Object exports);
void RegisterSpawn(Napi::Object exports);

}  // namespace hako

#endif
