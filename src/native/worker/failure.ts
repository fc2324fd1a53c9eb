import { HakoError } from '../../base/errors.ts';
import { describeErrno, errnoName } from '../errno.ts';
import { userNamespaceRemedy } from '../user-namespace-knobs.ts';

/** A FAILED answer of native/worker/worker_protocol.h. */
export interface WorkerFailure {
  readonly operation: string;
  /** Positive, as the kernel has it; 0: no system call's. */
  readonly errno: number;
  readonly detail: string;
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on the disk.',
  EDQUOT: 'Free some space, or have the quota raised.',
  EROFS: 'Choose a directory on a filesystem that can be written to.',
  ENOMEM: 'Free some memory, or raise the limit of the control group that node runs in.',
  EOPNOTSUPP: 'Keep the data on a filesystem that has extended attributes, such as ext4, xfs or btrfs.',
};

const namesOfSteps: Readonly<Record<string, string>> = {
  chown: 'Cannot give a file its owner',
  chmod: 'Cannot set a mode',
  setxattr: 'Cannot set an extended attribute',
  mknod: 'Cannot make a device',
  mount: 'Cannot mount the layers, or something is mounted there',
  unlink: 'Cannot remove a file',
  rmdir: 'Cannot remove a directory',
  walk: 'The tree was changed while it was worked on',
};

/** The `HakoError` for what a worker answers; it names the operation, the object and, where one is known, the remedy. */
export function workerError(failure: WorkerFailure): HakoError {
  const { operation, detail } = failure;
  switch (operation) {
    case 'archive':
      return new HakoError(
        'INVALID_ARCHIVE',
        `The archive cannot be unpacked: ${detail}. Nothing of it is used; get it again, or from another source.`,
        { operation },
      );
    case 'limit':
      return new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `The archive asks for more than is allowed: ${detail}. Raise the limit if you trust where it comes from.`,
        { operation },
      );
    case 'protocol':
      return new HakoError(
        'PROTOCOL_ERROR',
        `The worker does not understand the request: ${detail}. Its program and this package must be of the same version; reinstall libhako.`,
        { operation },
      );
    case 'path':
      if (errnoName(failure.errno) === 'ENOENT' || errnoName(failure.errno) === 'ENOTDIR')
        return new HakoError(
          'PATH_NOT_FOUND',
          `There is no '/${detail.replace(/^\/+/, '')}'. Look at how the path is written, and at the symbolic links on the way.`,
          { operation, path: detail },
        );
      return systemError(failure);
    case 'kind':
      return new HakoError(
        'PATH_CONFLICT',
        errnoName(failure.errno) === 'EISDIR'
          ? `'${detail}' is a directory, and the copy is none. Remove the directory first, or copy to another place.`
          : `'${detail}' is no directory, but the copy is one. Remove it first, or copy to another place.`,
        { operation, path: detail },
      );
    case 'kernel-fs':
      return new HakoError(
        'PATH_UNSUPPORTED',
        `'${detail}' is the kernel's state and cannot be copied. Run a program in the container that reads or writes it.`,
        { operation, path: detail },
      );
    default:
      return systemError(failure);
  }
}

function systemError({ operation, errno: number, detail }: WorkerFailure): HakoError {
  const errno = number === 0 ? undefined : errnoName(number);
  const why = errno === undefined ? '' : `: ${describeErrno(errno)}`;
  const what = namesOfSteps[operation] ?? `The operation '${operation}' on a file tree failed`;
  const details = { operation, path: detail, ...(errno === undefined ? {} : { errno }) };
  const sentence = (remedy: string | undefined): string =>
    `${what}: ${detail}${why}.${remedy === undefined ? '' : ` ${remedy}`}`;
  if (operation === 'immutable')
    return new HakoError(
      'PERMISSION_DENIED',
      `'${detail}' cannot be removed: it, or its directory, is immutable. Run chattr -i -a on it.`,
      details,
    );
  if (operation === 'namespace' || operation === 'idmap')
    return new HakoError(
      'HOST_UNSUPPORTED',
      `The namespaces for work on files cannot be entered: ${detail}${why}. ${userNamespaceRemedy()}`,
      details,
    );
  if (errno === 'EPERM' || errno === 'EACCES')
    return new HakoError('PERMISSION_DENIED', sentence('Run as the owner, or as root.'), details);
  return new HakoError('SYSCALL_FAILED', sentence(errno === undefined ? undefined : remedies[errno]), details);
}
