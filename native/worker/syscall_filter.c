// SPDX-License-Identifier: Apache-2.0
#include "syscall_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/syscalls.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "no system call filter for this processor"
#endif

// None of these starts a program, makes or enters a namespace, mounts, opens a socket or touches another process.
// What has a number on one processor only is there for a libc that still uses the old form.
static const uint16_t allowed[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_close,
    SYS_openat, SYS_openat2, SYS_getdents64, SYS_readlinkat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fstatfs,
    SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat, SYS_renameat, SYS_renameat2,
    SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_ftruncate, SYS_umask,
    SYS_fsetxattr, SYS_fgetxattr, SYS_flistxattr,
    SYS_copy_file_range, SYS_ioctl, SYS_fcntl, SYS_fchdir, SYS_syncfs,
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mprotect, SYS_futex, SYS_getrandom, SYS_getpid,
    SYS_gettid, SYS_tgkill, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_clock_gettime,
    SYS_restart_syscall, SYS_exit, SYS_exit_group,
#if defined(__x86_64__)
    SYS_open, SYS_stat, SYS_lstat, SYS_unlink, SYS_rmdir, SYS_poll,
#endif
    SYS_ppoll,
};

#define COUNT (sizeof allowed / sizeof allowed[0])

// One comparison for each, so the last must reach its verdict within a jump of 8 bits.
_Static_assert(COUNT < 250, "too many system calls for one jump");

int syscall_filter_install(void) {
  struct sock_filter program[COUNT + 6];
  size_t used = 0;
  program[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  program[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
  program[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < COUNT; i++) // x32's numbers have a high bit set, so they equal none of these
    program[used++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (uint8_t)(COUNT - i), 0);
  program[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {.len = (unsigned short)used, .filter = program};
  return sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &filter);
}
