// SPDX-License-Identifier: Apache-2.0
//
// System calls that a libc in use here (musl 1.2, glibc 2.28 and later) has no
// wrapper for, with the constants and structs that its headers lack. Each gives
// what the kernel gives, with errno set on -1.
#ifndef HAKO_SYSCALLS_H
#define HAKO_SYSCALLS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// <linux/mount.h> and <sys/mount.h> can't be included together on every libc.
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#endif
#ifndef MOVE_MOUNT_T_EMPTY_PATH
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#endif
#ifndef FSMOUNT_CLOEXEC
#define FSMOUNT_CLOEXEC 1
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#define MOUNT_ATTR_NOEXEC 0x08
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum fsconfig_command_number {
  CONFIG_SET_FLAG = 0,
  CONFIG_SET_STRING = 1,
  CONFIG_CREATE = 6,
};

struct mount_attributes { // struct mount_attr
  uint64_t set;
  uint64_t clear;
  uint64_t propagation;
  uint64_t userns_fd;
};

struct clone_arguments { // struct clone_args, CLONE_ARGS_SIZE_VER2
  uint64_t flags;
  uint64_t pidfd;
  uint64_t child_tid;
  uint64_t parent_tid;
  uint64_t exit_signal;
  uint64_t stack;
  uint64_t stack_size;
  uint64_t tls;
  uint64_t set_tid;
  uint64_t set_tid_size;
  uint64_t cgroup;
};

static inline pid_t sys_clone3(struct clone_arguments *arguments) {
  return (pid_t)syscall(SYS_clone3, arguments, sizeof *arguments);
}

static inline int sys_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// EAGAIN: a rename somewhere raced with a "..", so the kernel can't vouch for the result. Someone who keeps on
// renaming must not keep us here for ever.
static inline int sys_openat2_patiently(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  for (int attempt = 0;; attempt++) {
    int fd = sys_openat2(directory, path, flags, 0, resolve);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 128)
      return fd;
  }
}

// Since Linux 6.6: a chmod that never follows a symlink. ENOSYS before.
static inline int sys_fchmodat2(int directory, const char *name, uint32_t mode, int flags) {
  return (int)syscall(SYS_fchmodat2, directory, name, mode, flags);
}

static inline int sys_fsopen(const char *type) {
  return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux) {
  return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static inline int sys_fsmount(int fd, unsigned attributes) {
  return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

static inline int sys_open_tree(int directory, const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC);
}

// From a detached mount's descriptor onto a target's, neither by path.
static inline int sys_move_mount(int from, int onto) {
  return (int)syscall(SYS_move_mount, from, "", onto, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sys_mount_setattr(int fd, unsigned flags, const struct mount_attributes *attributes) {
  return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | flags, attributes, sizeof *attributes);
}

static inline int sys_pivot_root(const char *root, const char *old) {
  return (int)syscall(SYS_pivot_root, root, old);
}

static inline int sys_pidfd_open(pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}

// glibc's takes an enum, musl's an int.
static inline int sys_setrlimit(unsigned resource, const struct rlimit *limit) {
  return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}

static inline int sys_seccomp(unsigned operation, unsigned flags, const void *arguments) {
  return (int)syscall(SYS_seccomp, operation, flags, arguments);
}

static inline int sys_bpf(int command, void *attributes, size_t size) {
  return (int)syscall(SYS_bpf, command, attributes, size);
}

// The libc's own set*id calls wake every thread; there is one, and musl's
// setgroups is missing from a static build's headers in strict modes.
static inline int sys_setresuid(uid_t uid) {
  return (int)syscall(SYS_setresuid, uid, uid, uid);
}

static inline int sys_setresgid(gid_t gid) {
  return (int)syscall(SYS_setresgid, gid, gid, gid);
}

static inline int sys_setgroups(size_t count, const gid_t *groups) {
  return (int)syscall(SYS_setgroups, count, groups);
}

// Unlike the libc's, it tells of a directory that can't be reached from the root.
static inline ssize_t sys_getcwd(char *buffer, size_t size) {
  return syscall(SYS_getcwd, buffer, size);
}

#endif
