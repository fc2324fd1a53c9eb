// SPDX-License-Identifier: Apache-2.0
//
// Walks at random, but the same way for the same seed, through the calls that
// change and tell a process's ids, and prints what came of each: to be run where
// the kernel answers and where something else does.
//
//     id_walk SEED STEPS
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t state;

static uint32_t below(uint32_t limit) {
  state = state * 1664525 + 1013904223;
  return (state >> 16) % limit;
}

// -1, and ids of which root's is one; setgid-like calls need no more.
static long id(void) {
  static const long ids[] = {-1, 0, 0, 7, 8, 9};
  return ids[below(sizeof ids / sizeof *ids)];
}

static void tell(const char *what) {
  uid_t ruid, euid, suid;
  gid_t rgid, egid, sgid;
  gid_t groups[40];
  getresuid(&ruid, &euid, &suid);
  getresgid(&rgid, &egid, &sgid);
  int count = getgroups(40, groups);
  printf("%s: %u %u %u %u %u / %u %u %u %u %u /", what, getuid(), geteuid(), ruid, euid, suid, getgid(), getegid(), rgid,
         egid, sgid);
  for (int i = 0; i < count; i++)
    printf(" %u", groups[i]);
  printf(" / fs %ld %ld\n", syscall(SYS_setfsuid, -1), syscall(SYS_setfsgid, -1));
}

static void step(int depth, int *left);

static void fork_and_go_on(int depth, int *left) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    tell("child");
    int own = 5;
    while (own > 0)
      step(depth + 1, &own);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  (*left)--;
}

static void step(int depth, int *left) {
  static const struct {
    const char *name;
    int number, arguments;
  } calls[] = {
      {"setuid", SYS_setuid, 1},       {"setgid", SYS_setgid, 1},     {"setreuid", SYS_setreuid, 2},
      {"setregid", SYS_setregid, 2},   {"setresuid", SYS_setresuid, 3}, {"setresgid", SYS_setresgid, 3},
      {"setfsuid", SYS_setfsuid, 1},   {"setfsgid", SYS_setfsgid, 1}, {"setgroups", SYS_setgroups, 2},
  };
  uint32_t which = below(sizeof calls / sizeof *calls + 1);
  if (which == sizeof calls / sizeof *calls) {
    if (depth < 2)
      fork_and_go_on(depth, left);
    return;
  }
  char text[120];
  long result;
  if (calls[which].number == SYS_setgroups) {
    gid_t groups[] = {3, 5, 7};
    long count = below(4);
    result = syscall(SYS_setgroups, count, groups);
    snprintf(text, sizeof text, "setgroups %ld = %ld %d", count, result, result < 0 ? errno : 0);
  } else {
    long one = id(), two = id(), three = id();
    result = syscall(calls[which].number, one, two, three);
    int failed = result < 0 ? errno : 0;
    snprintf(text, sizeof text, "%s %ld %ld %ld = %ld %d", calls[which].name, one, calls[which].arguments > 1 ? two : 0,
             calls[which].arguments > 2 ? three : 0, result, failed);
  }
  tell(text);
  (*left)--;
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  int seed = atoi(argv[1]);
  int steps = atoi(argv[2]);
  // Each in a process of its own, which begins as root.
  for (int walk = 0; walk < 40; walk++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      state = (uint32_t)(seed * 1000 + walk);
      setgroups(0, NULL);
      for (int left = steps; left > 0;)
        step(0, &left);
      fflush(stdout);
      _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("--\n");
  }
  return 0;
}
