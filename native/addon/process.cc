// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include "environment.h"
#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

namespace hako {
namespace {

Napi::Value PidfdOpen(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int pid = arguments.Int(0);
  if (!arguments.Sound()) return arguments.Throw();
  UniqueFd fd(sys_pidfd_open(pid));
  if (!fd) return Return<Nothing>(info.Env(), FailureOf("pidfd_open", "process " + std::to_string(pid)), ToUndefined);
  return Environment::Give(info.Env(), std::move(fd));
}

Napi::Value PidfdSendSignal(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int pidfd = arguments.Int(0);
  int signal = arguments.Int(1);
  if (!arguments.Sound()) return arguments.Throw();
  if (sys_pidfd_send_signal(pidfd, signal) == -1) {
    return Return<Nothing>(info.Env(), FailureOf("pidfd_send_signal"), ToUndefined);
  }
  return info.Env().Undefined();
}

// null while the child runs: a thread of the pool that waited for one which
// outlives this process's interest in it would never come back.
Napi::Value TryReap(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int pidfd = arguments.Int(0);
  if (!arguments.Sound()) return arguments.Throw();
  siginfo_t status = {};
  if (RETRY(waitid(kPidfd, static_cast<id_t>(pidfd), &status, WEXITED | WNOHANG)) == -1) {
    return Return<Nothing>(info.Env(), FailureOf("waitid"), ToUndefined);
  }
  if (status.si_pid == 0) return info.Env().Null();
  Environment::Forget(info.Env(), pidfd);
  close(pidfd);
  bool exited = status.si_code == CLD_EXITED;
  Napi::Object object = Napi::Object::New(info.Env());
  Napi::Value number = Napi::Number::New(info.Env(), status.si_status);
  object.Set("exitCode", exited ? number : info.Env().Null());
  object.Set("signal", exited ? info.Env().Null() : number);
  return object;
}

}  // namespace

void RegisterProcess(Napi::Object exports) {
  Export(exports, "pidfdOpen", PidfdOpen);
  Export(exports, "pidfdSendSignal", PidfdSendSignal);
  Export(exports, "tryReap", TryReap);
}

}  // namespace hako
