// SPDX-License-Identifier: Apache-2.0
//
// The floor: the system calls that any container of this kind needs, made by a small process with nothing else to
// do. One line for each container: nanoseconds from clone3 to the end of wait.
//
// usage: floor [--net] COUNT ROOTFS   (ROOTFS holds a static busybox at /bin/true and empty /proc and /dev)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// <sys/mount.h> and <linux/mount.h> do not go together in every libc: the few that are needed, as in mount(2).
#define BIND 4096ul
#define REC 16384ul
#define PRIVATE (1ul << 18)
#define NOSUID 2ul
#define NODEV 4ul
#define NOEXEC 8ul
#define DETACH 2

static void must(long result, const char *what) {
  if (result >= 0)
    return;
  dprintf(2, "floor: %s: %s\n", what, strerror(errno));
  _exit(125);
}

static long mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  return syscall(SYS_mount, source, target, type, flags, data);
}

static void node(const char *path, unsigned major_number, unsigned minor_number) {
  must(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)), path);
}

static void contained(const char *rootfs) {
  must(mount_at(NULL, "/", NULL, REC | PRIVATE, NULL), "propagation");
  must(mount_at(rootfs, rootfs, NULL, BIND | REC, NULL), "bind the rootfs");
  must(chdir(rootfs), "chdir");
  must(mount_at("proc", "proc", "proc", NOSUID | NODEV | NOEXEC, NULL), "proc");
  must(mount_at("tmpfs", "dev", "tmpfs", NOSUID, "mode=755,size=65536k"), "dev");
  umask(0);
  node("dev/null", 1, 3);
  node("dev/zero", 1, 5);
  node("dev/full", 1, 7);
  node("dev/random", 1, 8);
  node("dev/urandom", 1, 9);
  node("dev/tty", 5, 0);
  must(mkdir("dev/pts", 0755), "dev/pts");
  must(mount_at("devpts", "dev/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=0620"), "devpts");
  must(mkdir("dev/shm", 0755), "dev/shm");
  must(mount_at("shm", "dev/shm", "tmpfs", NOSUID | NODEV | NOEXEC, "mode=1777,size=65536k"), "shm");
  must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(syscall(SYS_umount2, ".", DETACH), "umount the old root");
  must(chdir("/"), "chdir /");
  char *const argv[] = {"true", NULL};
  char *const envp[] = {"PATH=/bin", NULL};
  execve("/bin/true", argv, envp);
  must(-1, "exec");
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv) {
  int net = argc > 1 && strcmp(argv[1], "--net") == 0;
  if (argc != 3 + net) {
    dprintf(2, "usage: floor [--net] COUNT ROOTFS\n");
    return 2;
  }
  long count = strtol(argv[1 + net], NULL, 10);
  uint64_t namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (net)
    namespaces |= CLONE_NEWNET;
  for (long i = 0; i < count; i++) {
    uint64_t start = now();
    struct clone_args args = {.flags = namespaces, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    must(pid, "clone3");
    if (pid == 0)
      contained(argv[2 + net]);
    int status;
    must(waitpid((pid_t)pid, &status, 0), "wait");
    if (status != 0)
      return 1;
    printf("%llu\n", (unsigned long long)(now() - start));
    fflush(stdout);
  }
  return 0;
}
