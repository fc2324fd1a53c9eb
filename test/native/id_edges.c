// SPDX-License-Identifier: Apache-2.0
//
// What a program may do wrong with the calls that name ids, and what threads
// make of them; printed, to be compared with the kernel's own answers.
//
//     id_edges faults     bad pointers, counts and ids
//     id_edges threads    a change in one thread, seen by the others
//     id_edges storm      asks who it is, from four processes, until it is killed
//     id_edges crowd      600 processes at once, each another user
//     id_edges stall FILE asks to be told in memory that never comes, since it is this file's
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void told(const char *what, long result) {
  printf("%s = %ld %d\n", what, result, result < 0 ? errno : 0);
}

static void faults(void) {
  gid_t groups[4] = {0};
  setgroups(0, NULL);
  told("getresuid null", syscall(SYS_getresuid, NULL, NULL, NULL));
  told("getresgid kernel", syscall(SYS_getresgid, (void *)-4096, groups, groups));
  told("setgroups null", syscall(SYS_setgroups, 3, NULL));
  told("setgroups many", syscall(SYS_setgroups, 70000, groups));
  told("setgroups negative", syscall(SYS_setgroups, -1, groups));
  told("setuid -1", syscall(SYS_setuid, -1));
  told("setgid -1", syscall(SYS_setgid, -1));
  told("setfsuid -1", syscall(SYS_setfsuid, -1));
  // The kernel takes 32 bits of the 64.
  told("setgid wide", syscall(SYS_setgid, (1L << 32) + 7));
  told("getgid", syscall(SYS_getgid));
  told("setgroups two", syscall(SYS_setgroups, 2, (gid_t[]){5, 6}));
  told("getgroups none", syscall(SYS_getgroups, 0, NULL));
  told("getgroups short", syscall(SYS_getgroups, 1, groups));
  told("getgroups null", syscall(SYS_getgroups, 4, NULL));
  told("getgroups negative", syscall(SYS_getgroups, -1, groups));
  told("getgroups", syscall(SYS_getgroups, 4, groups));
  told("keepcaps", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  told("keepcaps 2", prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0));
  told("setuid", syscall(SYS_setuid, 7));
  told("setuid back", syscall(SYS_setuid, 0));
}

static pthread_barrier_t changed;

static void *look(void *argument) {
  static uid_t seen[3];
  uid_t *own = &seen[(intptr_t)argument];
  pthread_barrier_wait(&changed);
  *own = getuid();
  return own;
}

static void threads(void) {
  pthread_t others[3];
  pthread_barrier_init(&changed, NULL, 4);
  for (intptr_t i = 0; i < 3; i++)
    pthread_create(&others[i], NULL, look, (void *)i);
  // The C library has each thread do it.
  told("setresuid", setresuid(7, 8, 9));
  pthread_barrier_wait(&changed);
  for (int i = 0; i < 3; i++) {
    void *seen;
    pthread_join(others[i], &seen);
    told("thread", *(uid_t *)seen);
  }
}

static void storm(void) {
  for (int i = 0; i < 2; i++)
    fork();
  syscall(SYS_setuid, 7);
  for (;;)
    syscall(SYS_getuid);
}

static void crowd(void) {
  int ready[2];
  int go[2];
  int right = 0;
  if (pipe(ready) < 0 || pipe(go) < 0)
    return;
  for (uid_t id = 1; id <= 600; id++)
    if (fork() == 0) {
      char byte;
      close(go[1]);
      long changed = syscall(SYS_setuid, id);
      if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 0)
        _exit(1);
      _exit(changed == 0 && getuid() == id ? 0 : 1);
    }
  for (int i = 0; i < 600; i++) {
    char byte;
    if (read(ready[0], &byte, 1) != 1)
      return;
  }
  close(go[1]);
  int status;
  while (wait(&status) > 0)
    right += status == 0;
  printf("%d know who they are\n", right);
}

static void stall(const char *file) {
  int fd = open(file, O_RDWR);
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  told("open", fd < 0 || memory == MAP_FAILED ? -1 : 0);
  for (int i = 0; i < 3; i++)
    told("getresuid", syscall(SYS_getresuid, memory, memory, memory));
  told("getuid", syscall(SYS_getuid));
  fflush(stdout);
  for (;;)
    syscall(SYS_getresuid, memory, memory, memory);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "faults") == 0)
    faults();
  else if (argc == 2 && strcmp(argv[1], "threads") == 0)
    threads();
  else if (argc == 2 && strcmp(argv[1], "storm") == 0)
    storm();
  else if (argc == 2 && strcmp(argv[1], "crowd") == 0)
    crowd();
  else if (argc == 3 && strcmp(argv[1], "stall") == 0)
    stall(argv[2]);
  else
    return 2;
  return 0;
}
