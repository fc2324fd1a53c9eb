// SPDX-License-Identifier: Apache-2.0
#include <linux/seccomp.h>
#include <sys/utsname.h>

#include "napi_support.h"
#include "probe_child.h"
#include "syscalls.h"
#include "unique_fd.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SECCOMP_GET_ACTION_AVAIL
#define SECCOMP_GET_ACTION_AVAIL 2
#endif

namespace hako {
namespace {

constexpr unsigned kLandlockVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION

struct Probe {
  std::string release;
  Trial clone3, openat2, seccomp_filter, pidfd;
  int landlock_version;
  ProbeResults child;
};

Trial Answer(bool ok, const char *step) {
  Trial trial = {};
  if (ok) return trial;
  trial.error = errno;
  std::string(step).copy(trial.step, sizeof trial.step - 1);
  return trial;
}

Trial TryClone3() {
  // A struct of no size is refused before anything is made, if there is such a call.
  syscall(SYS_clone3, nullptr, 0);
  return Answer(errno == EINVAL, "clone3");
}

Trial TryOpenat2() {
  UniqueFd fd(sys_openat2(AT_FDCWD, "/", O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
  return Answer(static_cast<bool>(fd), "openat2");
}

Trial TryPidfd() {
  UniqueFd fd(sys_pidfd_open(getpid()));
  return Answer(static_cast<bool>(fd), "pidfd_open");
}

Trial TrySeccomp() {
  unsigned action = SECCOMP_RET_ERRNO;
  return Answer(sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0, "seccomp");
}

Outcome<Probe> RunProbe() {
  Probe probe = {};
  utsname name;
  if (uname(&name) == -1) return FailureOf("uname");
  probe.release = name.release;
  probe.clone3 = TryClone3();
  probe.openat2 = TryOpenat2();
  probe.seccomp_filter = TrySeccomp();
  probe.pidfd = TryPidfd();
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kLandlockVersion);
  probe.landlock_version = version < 0 ? 0 : static_cast<int>(version);
  int error = ProbeInChild(&probe.child);
  if (error != 0) return Failure{error, "clone", {}, "a child process to try things in"};
  return probe;
}

Napi::Value ToObject(Napi::Env env, Probe &probe) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("release", probe.release);
  object.Set("landlockVersion", probe.landlock_version);
  auto set = [&](const char *key, const Trial &trial) {
    Napi::Object answer = Napi::Object::New(env);
    answer.Set("errno", trial.error);
    answer.Set("step", static_cast<const char *>(trial.step));
    object.Set(key, answer);
  };
  set("clone3", probe.clone3);
  set("openat2", probe.openat2);
  set("seccompFilter", probe.seccomp_filter);
  set("pidfd", probe.pidfd);
  set("mountApi", probe.child.mount_api);
  set("userNamespace", probe.child.user_namespace);
  set("overlayInUserNamespace", probe.child.overlay);
  set("timeNamespace", probe.child.time_namespace);
  set("cgroupNamespace", probe.child.cgroup_namespace);
  return object;
}

Napi::Value ProbeKernel(const Napi::CallbackInfo &info) {
  return RunAsync<Probe>(info.Env(), "hako.probe", RunProbe, ToObject);
}

}  // namespace

void RegisterProbe(Napi::Object exports) {
  Export(exports, "probe", ProbeKernel);
}

}  // namespace hako
