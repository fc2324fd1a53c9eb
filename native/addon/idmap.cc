// SPDX-License-Identifier: Apache-2.0
//
// Whether the ids of a directory's files can be shifted by a mount: tried, since
// it takes the kernel and the filesystem, and no version tells of the latter.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

namespace hako {
namespace {

// A process in a user namespace of its own, which waits for its end. By the bare
// system call, as in probe_child.cc.
pid_t StartNamespace() {
  const unsigned long all = ~0UL;
  unsigned long before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  pid_t pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 8);
  }
  int error = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, 8);
  errno = error;
  return pid;
}

bool Write(const std::string &path, const std::string &text) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && write(fd.Get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Outcome<Nothing> TryMount(const std::string &directory, const std::string &process) {
  for (const char *map : {"/uid_map", "/gid_map"}) {
    if (!Write(process + map, "0 0 1\n")) return FailureOf("write", process + map);
  }
  UniqueFd user_namespace(open((process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!user_namespace) return FailureOf("open", process + "/ns/user");
  UniqueFd tree(sys_open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE));
  if (!tree) return FailureOf("open_tree", directory);
  mount_attributes attributes = {};
  attributes.set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(user_namespace.Get());
  if (sys_mount_setattr(tree.Get(), 0, &attributes) == -1) return FailureOf("mount_setattr", directory);
  return Nothing{};
}

// Layers that are shifted are named one by one, below the mount that shifts them.
Outcome<Nothing> TryLayers(const std::string &directory) {
  UniqueFd overlay(sys_fsopen("overlay"));
  if (!overlay) return FailureOf("fsopen", directory, "overlay");
  if (sys_fsconfig(overlay.Get(), CONFIG_SET_STRING, "lowerdir+", directory.c_str(), 0) == -1) {
    return FailureOf("fsconfig", directory, "overlay, lowerdir+");
  }
  return Nothing{};
}

Outcome<Nothing> Try(const std::string &directory, bool layers) {
  pid_t pid = StartNamespace();
  if (pid == -1) return FailureOf("clone", {}, "a user namespace");
  Outcome<Nothing> done = TryMount(directory, "/proc/" + std::to_string(pid));
  kill(pid, SIGKILL);
  int status = 0;
  RETRY(waitpid(pid, &status, 0));
  return layers && std::holds_alternative<Nothing>(done) ? TryLayers(directory) : done;
}

Napi::Value TryIdmappedMount(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string directory = arguments.String(0);
  arguments.Check(info[1].IsBoolean());
  if (!arguments.Sound()) return arguments.Throw();
  bool layers = info[1].As<Napi::Boolean>();
  return RunAsync<Nothing>(
      info.Env(), "hako.tryIdmappedMount", [directory, layers] { return Try(directory, layers); }, ToUndefined);
}

}  // namespace

void RegisterIdmap(Napi::Object exports) {
  Export(exports, "tryIdmappedMount", TryIdmappedMount);
}

}  // namespace hako
