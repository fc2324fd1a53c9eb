// SPDX-License-Identifier: Apache-2.0
//
// Installs the filter that lies in a file on itself and makes system calls under
// it. Prints a line "NAME ERRNO" for each, 0 for success, and "install-ns N" for
// how long seccomp(2) took (the least of some installations in children).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INSTALLATIONS 50

static void report(const char *name, long result) {
  printf("%s %d\n", name, result == -1 ? errno : 0);
  fflush(stdout);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long install(const struct sock_fprog *program) {
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}

static long long least_time(const struct sock_fprog *program) {
  long long *least = mmap(NULL, sizeof *least, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *least = 1LL << 62;
  for (int i = 0; i < INSTALLATIONS; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      long long start = now();
      long result = install(program);
      long long took = now() - start;
      if (result == 0 && took < *least)
        *least = took;
      _exit(0);
    }
    waitpid(pid, NULL, 0);
  }
  return *least;
}

#ifdef __x86_64__
// As a 32-bit program makes its calls; gives -1 with errno like syscall(2).
static long call32(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  int error = (int)result;
  if (error >= 0 || error < -4095)
    return error;
  errno = -error;
  return -1;
}

static void try_other_abis(void) {
  uint32_t *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  arguments[0] = AF_ALG;
  arguments[1] = SOCK_SEQPACKET;
  arguments[2] = 0;
  report("i386:getpid", call32(20, 0, 0, 0));
  report("i386:socket(AF_ALG)", call32(359, AF_ALG, SOCK_SEQPACKET, 0));
  report("i386:socketcall(SYS_SOCKET,AF_ALG)", call32(102, 1, (long)arguments, 0));
  arguments[0] = AF_UNIX;
  arguments[1] = SOCK_STREAM;
  report("i386:socket(AF_UNIX)", call32(359, AF_UNIX, SOCK_STREAM, 0));
  arguments[3] = (uint32_t)(uintptr_t)(arguments + 8);
  report("i386:socketcall(SYS_SOCKETPAIR)", call32(102, 8, (long)arguments, 0));
  report("x32:socket(AF_ALG)", syscall(0x40000000 + SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
}
#else
static void try_other_abis(void) {}
#endif

int main(int argc, char **argv) {
  static struct sock_filter instructions[BPF_MAXINSNS];
  FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
  if (!file)
    return 2;
  struct sock_fprog program = {.filter = instructions, .len = (unsigned short)fread(instructions, sizeof *instructions, BPF_MAXINSNS, file)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return 2;
  printf("install-ns %lld\n", least_time(&program));
  report("install", install(&program));
  report("getpid", syscall(SYS_getpid));
  report("socket(AF_UNIX)", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
  report("socket(AF_ALG)", syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
  report("socket(AF_ALG+2^32)", syscall(SYS_socket, (1L << 32) + AF_ALG, SOCK_SEQPACKET, 0));
  report("socket(AF_VSOCK)", syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0));
  report("clone3", syscall(SYS_clone3, NULL, 0));
  report("unshare", syscall(SYS_unshare, 0x10000000));
  report("personality(0)", syscall(SYS_personality, 0));
  report("personality(0x0400000)", syscall(SYS_personality, 0x0400000));
  report("mount", syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
  report("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  report("rseq_slice_yield and later", syscall(600));
  try_other_abis();
  return 0;
}
