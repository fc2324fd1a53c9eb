/** The system calls of a start and an exec that test/native/container-faults makes fail, each with its own error. */
export const startCalls = [
  ...'clone3 socketpair mmap munmap open openat openat2 fstat newfstatat fstatfs fcntl dup2 pipe2 execve'.split(' '),
  ...'close_range getcwd fsopen fsconfig fsmount open_tree move_mount mount_setattr mount umount2'.split(' '),
  ...'pivot_root fchdir chdir mkdir mkdirat mknodat symlinkat rmdir unlinkat renameat flock fchmod'.split(' '),
  ...'unshare sethostname keyctl socket bind listen ioctl sendmsg recvmsg recvfrom sendto poll'.split(' '),
  ...'pwrite64 write read prlimit64 fchown setgroups setresgid setresuid capset prctl seccomp setsid'.split(' '),
  ...'rt_sigaction rt_sigprocmask waitid wait4'.split(' '),
];

const errors: Readonly<Record<string, string>> = { flock: 'ENOLCK', rmdir: 'EBUSY' };

export const errorOf = (call: string): string => errors[call] ?? 'EIO';

/** Those of the supervisor's own loop, in test/native/supervisor-faults. */
export const loopFaults = [
  ['epoll_create1', 'EMFILE'],
  ['signalfd4', 'ENFILE'],
  ['rt_sigprocmask', 'EINVAL'],
  ['close_range', 'ENOSYS'],
  ['epoll_ctl', 'ENOMEM'],
  ['epoll_pwait', 'EINTR'],
  ['mmap', 'ENOMEM'],
  ['socket', 'EMFILE'],
  ['fchmod', 'EPERM'],
  ['bind', 'EACCES'],
  ['listen', 'EADDRINUSE'],
  ['accept4', 'EMFILE'],
  ['accept4', 'ECONNABORTED'],
  ['openat', 'EMFILE'],
  ['read', 'EIO'],
  ['write', 'ENOSPC'],
  ['sendmsg', 'ENOBUFS'],
  ['sendmsg', 'EPIPE'],
  ['shutdown', 'ENOTCONN'],
  ['pwrite64', 'ENOSPC'],
  ['renameat', 'EIO'],
  ['unlinkat', 'EIO'],
  ['waitid', 'EINTR'],
  ['ioctl', 'EIO'],
  ['madvise', 'ENOMEM'],
  ['brk', 'ENOMEM'],
] as const;

/** Made, and not made to fail. */
export const spared = new Set([
  // Linux has closed what it says it could not; strace's error has not.
  'close',
  // They cannot fail.
  ...['getuid', 'getgid', 'umask', 'set_tid_address'],
  // The C library's, before main; and busybox's own.
  ...['arch_prctl', 'rseq', 'set_robust_list', 'getrandom', 'mprotect', 'readlink', 'setuid', 'setgid'],
]);
