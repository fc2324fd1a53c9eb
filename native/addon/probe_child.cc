// SPDX-License-Identifier: Apache-2.0
#include "probe_child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <initializer_list>

#include "syscalls.h"

namespace hako {
namespace {

void Record(Trial *trial, const char *step) {
  trial->error = errno;
  strncpy(trial->step, step, sizeof trial->step - 1);
}

// "0 <id> 1" without the libc's formatting, which may allocate.
size_t OneIdMap(char *buffer, unsigned id) {
  char number[DECIMAL_SIZE];
  strcpy(buffer, "0 ");
  strcat(buffer, decimal(number, id));
  strcat(buffer, " 1\n");
  return strlen(buffer);
}

bool WriteFile(const char *path, const char *text, size_t length) {
  cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && write_all(fd, text, length) == 0;
}

bool EnterUserNamespace(Trial *trial) {
  unsigned uid = geteuid(), gid = getegid();
  if (unshare(CLONE_NEWUSER) == -1) return Record(trial, "unshare"), false;
  char map[64];
  if (!WriteFile("/proc/self/setgroups", "deny", 4)) return Record(trial, "setgroups"), false;
  if (!WriteFile("/proc/self/uid_map", map, OneIdMap(map, uid))) return Record(trial, "uid_map"), false;
  if (!WriteFile("/proc/self/gid_map", map, OneIdMap(map, gid))) return Record(trial, "gid_map"), false;
  return true;
}

// Who may mount nothing can still tell a call that is not allowed from one that is not there.
void LookForMountApi(Trial *trial) {
  mount_attributes attributes = {};
  if (sys_fsopen("tmpfs") == -1 && errno == ENOSYS) return Record(trial, "fsopen");
  if (sys_mount_setattr(-1, 0, &attributes) == -1 && errno == ENOSYS) return Record(trial, "mount_setattr");
}

// Gives a tmpfs that lies over "/" and is the working directory.
bool TryMountApi(Trial *trial) {
  // As root there was no user namespace to cut the propagation to the host.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == -1) return Record(trial, "mount"), false;
  cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  cleanup_fd int fs = sys_fsopen("tmpfs");
  if (fs < 0) return Record(trial, "fsopen"), false;
  if (sys_fsconfig(fs, CONFIG_CREATE, nullptr, nullptr, 0) == -1) return Record(trial, "fsconfig"), false;
  cleanup_fd int made = sys_fsmount(fs, MOUNT_ATTR_NODEV);
  if (made < 0) return Record(trial, "fsmount"), false;
  mount_attributes attributes = {};
  attributes.set = MOUNT_ATTR_NOSUID;
  if (sys_mount_setattr(made, 0, &attributes) == -1) return Record(trial, "mount_setattr"), false;
  if (sys_move_mount(made, root) == -1) return Record(trial, "move_mount"), false;
  if (fchdir(made) == -1) return Record(trial, "fchdir"), false;
  cleanup_fd int tree = sys_open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE);
  if (tree < 0) return Record(trial, "open_tree"), false;
  return true;
}

bool TryOverlay(Trial *trial) {
  for (const char *name : {"lower", "upper", "work"}) {
    if (mkdir(name, 0700) == -1) return Record(trial, "mkdir"), false;
  }
  cleanup_fd int fs = sys_fsopen("overlay");
  if (fs < 0) return Record(trial, "fsopen"), false;
  const char *const options[][2] = {{"lowerdir", "lower"}, {"upperdir", "upper"}, {"workdir", "work"}};
  for (auto &option : options) {
    if (sys_fsconfig(fs, CONFIG_SET_STRING, option[0], option[1], 0) == -1) return Record(trial, option[0]), false;
  }
  if (sys_fsconfig(fs, CONFIG_SET_FLAG, "userxattr", nullptr, 0) == -1) return Record(trial, "userxattr"), false;
  if (sys_fsconfig(fs, CONFIG_CREATE, nullptr, nullptr, 0) == -1) return Record(trial, "fsconfig"), false;
  cleanup_fd int made = sys_fsmount(fs, 0);
  if (made < 0) return Record(trial, "fsmount"), false;
  return true;
}

void TryAll(ProbeResults *results) {
  bool mapped = EnterUserNamespace(&results->user_namespace);
  bool own_mounts = unshare(CLONE_NEWNS) == 0;
  // Ubuntu's AppArmor lets anyone have a user namespace, but nobody have power in it.
  if (mapped && !own_mounts) Record(&results->user_namespace, "unshare for mounts");
  bool usable = mapped && own_mounts;
  bool mounted = own_mounts && TryMountApi(&results->mount_api);
  if (!own_mounts) LookForMountApi(&results->mount_api);
  if (usable && mounted) {
    TryOverlay(&results->overlay);
  } else {
    results->overlay = usable ? results->mount_api : results->user_namespace;
  }
  if (unshare(CLONE_NEWTIME) == -1) Record(&results->time_namespace, "unshare");
  if (unshare(CLONE_NEWCGROUP) == -1) Record(&results->cgroup_namespace, "unshare");
}

}  // namespace

// A copy of the process, not one that shares its memory as in spawn.cc: a new
// user namespace may not be entered by who shares memory with others, and
// entering it would make Node itself undumpable. Made by the bare system call:
// fork(3) would run other libraries' handlers and take their locks in a child
// in which no other thread is left to give them back.
int ProbeInChild(ProbeResults *results) {
  void *shared = mmap(nullptr, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return errno;
  // Node's handlers would tell Node's own event loop of the child's signals.
  const unsigned long all = ~0UL;
  unsigned long before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  pid_t pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  int error = errno;
  if (pid == 0) {
    TryAll(static_cast<ProbeResults *>(shared));
    syscall(SYS_exit_group, 0);
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, 8);
  if (pid > 0) {
    int status = 0;
    RETRY(waitpid(pid, &status, 0));
    error = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ECHILD;
    memcpy(results, shared, sizeof *results);
  }
  munmap(shared, sizeof *results);
  return error;
}

}  // namespace hako
