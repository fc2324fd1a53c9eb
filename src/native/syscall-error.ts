import { isError } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import { describeErrno, errnoName } from './errno.ts';

/** What the addon throws, and Node itself: an Error with these properties. */
export interface AddonFailure extends Error {
  /** Positive, as the kernel has it, or negative, as libuv has it. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly detail?: string;
}

export function isAddonFailure(error: unknown): error is AddonFailure {
  return (
    isError(error) &&
    'errno' in error &&
    typeof error.errno === 'number' &&
    'syscall' in error &&
    typeof error.syscall === 'string'
  );
}

/** Remedies by `syscall errno`, or by errno alone where the call makes no difference. */
const remedies: Readonly<Record<string, string>> = {
  'memfd_create EACCES': 'The setting vm.memfd_noexec forbids programs in memory; set it to 0 or 1.',
  'execveat ENOEXEC': 'The native parts are for another processor; install the package for this one.',
  'execveat EACCES':
    'Programs in memory are forbidden here (vm.memfd_noexec or a security module); allow them for node.',
  'clone EAGAIN': 'Raise the limit of processes (`ulimit -u`, or pids.max of the control group).',
  'close_range ENOSYS': 'hako needs Linux 5.12 or later.',
  'openat2 ENOSYS': 'hako needs Linux 5.12 or later; in a container, its seccomp filter may hide the call.',
  'openat2 ELOOP': 'The path leads through a link that is not followed.',
  'syncfs EIO': 'The disk has errors; look into the kernel log.',
  EMFILE: 'Raise the limit of open files (`ulimit -n`).',
  ENFILE: "Raise the machine's limit of open files (fs.file-max).",
  ENOSPC: 'Free some space on the disk.',
  EDQUOT: 'Free some space, or have the quota raised.',
  EROFS: 'Choose a directory on a filesystem that can be written to.',
  ENOMEM: 'Free some memory, or raise the limit of the control group that node runs in.',
  EBUSY: 'Something is mounted there or in use: stop what uses it.',
  EPERM: 'Run as root, or with the capability that the operation needs.',
  EACCES: 'Run as the owner, or as root.',
};

/** The words for an operation that the addon reports under the system call's name. */
const operations: Readonly<Record<string, string>> = {
  open: 'open',
  openat2: 'open',
  read: 'read',
  write: 'write',
  mkdir: 'make',
  rename: 'rename',
  scandir: 'read',
  fstat: 'look at',
  execveat: 'run',
  memfd_create: 'make a sealed copy of',
  sendfile: 'copy',
  flock: 'lock a file',
  syncfs: 'write the filesystem to disk',
  mount: 'mount on',
  fsopen: 'mount on',
  fsconfig: 'mount on',
  fsmount: 'mount on',
  move_mount: 'mount on',
  open_tree: 'bind',
  umount2: 'unmount',
  unlink: 'remove',
  rmdir: 'remove',
  chmod: 'remove',
  immutable: 'remove',
  walk: 'remove',
  clone: 'start a process',
  pidfd_open: 'open',
  pidfd_send_signal: 'send a signal',
  waitid: 'wait for a process',
};

/**
 * The `HakoError` for a failure of the addon's or of `node:fs`: `PERMISSION_DENIED` or `SYSCALL_FAILED`, or
 * `INVALID_SECCOMP_PROFILE` when the rules were at fault. What the addon did not make is given back as it is.
 */
export function toHakoError(error: unknown): unknown {
  if (!isAddonFailure(error)) return error;
  const errno = errnoName(Math.abs(error.errno));
  if (error.syscall === 'seccomp') {
    return new HakoError(
      'INVALID_SECCOMP_PROFILE',
      `The seccomp profile cannot be compiled: ${error.detail ?? describeErrno(errno)}. Merge or leave out some of its rules.`,
      { cause: error },
    );
  }
  const words = operations[error.syscall];
  const what = words === undefined ? `The system call ${error.syscall} failed` : `Cannot ${words}`;
  const object = error.path === undefined ? '' : ` '${error.path}'`;
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  const remedy = remedies[`${error.syscall} ${errno}`] ?? remedies[errno];
  const sentence = `${what}${object}${detail}: ${describeErrno(errno)}.${remedy === undefined ? '' : ` ${remedy}`}`;
  return new HakoError(errno === 'EPERM' || errno === 'EACCES' ? 'PERMISSION_DENIED' : 'SYSCALL_FAILED', sentence, {
    errno,
    operation: error.syscall,
    ...(error.path === undefined ? {} : { path: error.path }),
    cause: error,
  });
}
