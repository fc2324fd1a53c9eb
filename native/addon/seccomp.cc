// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "napi_support.h"

extern "C" {
#include "../seccomp/compile.h"
}

namespace hako {
namespace {

Napi::Value CompileSeccomp(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::vector<uint8_t> rules = arguments.Bytes(0);
  if (!arguments.Sound()) return arguments.Throw();
  auto program = std::make_unique<seccomp_program>();
  failure failed = {};
  if (seccomp_compile(rules.data(), rules.size(), program.get(), &failed) == -1) {
    return Return<Nothing>(info.Env(), Failure{failed.errnum, failed.operation, {}, failed.detail}, ToUndefined);
  }
  return BytesToValue(info.Env(), program->instructions, program->length * sizeof program->instructions[0]);
}

}  // namespace

void RegisterSeccomp(Napi::Object exports) {
  Export(exports, "compileSeccomp", CompileSeccomp);
}

}  // namespace hako
