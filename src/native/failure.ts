import type { errorKinds } from '../base/error-codes.ts';
import { HakoError } from '../base/errors.ts';
import { describeErrno, errnoName } from './errno.ts';
import type { FailedFrame } from './protocol.ts';
import { userNamespaceRemedy } from './user-namespace-knobs.ts';

/** What a failure of one operation becomes. */
interface Meaning {
  /** The beginning of a sentence that goes on with the detail. */
  readonly words: string;
  readonly code?: keyof typeof errorKinds;
  /** Codes and remedies for particular errors, before the ones of the operation as a whole. */
  readonly errors?: Readonly<
    Record<string, { readonly code?: keyof typeof errorKinds; readonly remedy: () => string }>
  >;
  readonly remedy?: () => string;
}

const noUserNamespace = { code: 'HOST_UNSUPPORTED', remedy: userNamespaceRemedy } as const;
const needsPrivilege = { remedy: () => "Run hako as root, or use the mode 'rootless'." };
const refusedLimit = { remedy: () => 'The kernel does not accept that value for the limit; choose another.' };
const noRoom = { remedy: () => 'Free some space on the disk.' };

/** What the machine lacks, whatever was asked for. */
const scarce: Readonly<Record<string, string>> = {
  EMFILE: 'Raise the limit of open files (`ulimit -n`).',
  ENFILE: "Raise the machine's limit of open files (fs.file-max).",
  ENOMEM: 'Free some memory, or raise the limit on it.',
  EIO: 'A disk or the kernel gave an error: look at the kernel log.',
};

const closedWay = {
  remedy: () =>
    "In a user namespace the container's root is an ordinary user to the host, and each directory on the way has to let it pass: `chmod o+x` those that do not, or put the runtime's root, or the source of the mount, elsewhere.",
};

/** What is said where files cannot be shown with other ids than they have on the disk. */
export const noIdmappedMounts = {
  words: "The ids of files cannot be shifted to the container's",
  remedy:
    "The kernel, or the filesystem that they lie on, has no idmapped mounts. Put the runtime's root on ext4, xfs, btrfs or tmpfs under Linux 6.8 or later, or use userns 'host' or the mode 'rootless'.",
};

/** By the stable names that native/common/failure.h lists. */
const meanings: Readonly<Record<string, Meaning>> = {
  protocol: {
    words: 'The supervisor does not understand the request',
    code: 'PROTOCOL_ERROR',
    remedy: () => 'Its program and this package must be of the same version; reinstall libhako.',
  },
  memory: {
    words: 'There is not enough memory for the request',
    remedy: () => 'Free some memory, or shorten the command and the environment.',
  },
  session: {
    words: 'The supervisor takes no further session',
    remedy: () => 'Close some of the attachments and execs of this container.',
  },
  state: {
    words: 'The container is in the hands of another supervisor',
    remedy: () => 'Wait until its last run has been cleared up, and start it again.',
  },
  cgroup: {
    words: 'The control group cannot be set up',
    errors: {
      EACCES: {
        code: 'HOST_UNSUPPORTED',
        remedy: () =>
          'Have a control group delegated to this user (systemd: Delegate=yes), or leave out the resource limits.',
      },
      EINVAL: refusedLimit,
      ERANGE: { code: 'INVALID_OPTION', ...refusedLimit },
      EBUSY: {
        remedy: () =>
          'A control group with processes of its own cannot hold further groups (cgroups(7), "no internal processes").',
      },
      ENOSPC: { remedy: () => 'The limit of control groups is reached: remove containers that are no longer used.' },
    },
  },
  namespace: {
    words: 'The namespace cannot be entered',
    errors: {
      EPERM: { code: 'HOST_UNSUPPORTED', ...needsPrivilege },
      ENOSYS: { code: 'HOST_UNSUPPORTED', remedy: () => 'This kernel has no such namespace.' },
    },
  },
  clone: {
    words: "The container's process cannot be made",
    errors: {
      EPERM: noUserNamespace,
      ENOSPC: noUserNamespace,
      EUSERS: noUserNamespace,
      ENOSYS: {
        code: 'HOST_UNSUPPORTED',
        remedy: () =>
          'hako needs Linux 5.12 or later with clone3(2); in a container, its seccomp filter may hide the call.',
      },
      EINVAL: {
        code: 'HOST_UNSUPPORTED',
        remedy: () => 'This kernel lacks one of the namespaces that were asked for.',
      },
      EAGAIN: { remedy: () => 'Raise the limit of processes (`ulimit -u`, or pids.max of the control group).' },
    },
  },
  idmap: {
    words: 'The user namespace cannot be given its ids',
    code: 'HOST_UNSUPPORTED',
    errors: { EPERM: noUserNamespace, EACCES: noUserNamespace },
    remedy: () =>
      'Look at the ranges of this user in /etc/subuid and /etc/subgid, and at whether newuidmap and newgidmap are set-uid.',
  },
  mount: {
    words: 'The filesystem cannot be mounted',
    errors: {
      EPERM: { code: 'HOST_UNSUPPORTED', ...needsPrivilege },
      EACCES: closedWay,
      ENODEV: {
        code: 'HOST_UNSUPPORTED',
        remedy: () => 'Load the module of this filesystem, or use another storage driver.',
      },
      ENOSPC: { remedy: () => 'Free some space, or raise fs.mount-max.' },
    },
  },
  bind: {
    words: 'The directory or file cannot be bound into the container',
    errors: {
      EACCES: closedWay,
      ENOENT: { code: 'INVALID_OPTION', remedy: () => 'Make the source of the mount before the container is started.' },
      ENODEV: { code: 'INVALID_OPTION', remedy: () => 'Name a device node.' },
    },
  },
  'idmapped-mount': {
    words: noIdmappedMounts.words,
    code: 'HOST_UNSUPPORTED',
    remedy: () => noIdmappedMounts.remedy,
  },
  mkdir: { words: 'The directory cannot be made in the root filesystem', errors: { ENOSPC: noRoom } },
  symlink: { words: 'The symbolic link cannot be made in the root filesystem', errors: { ENOSPC: noRoom } },
  mknod: { words: 'The device cannot be made', errors: { EPERM: { code: 'HOST_UNSUPPORTED', ...needsPrivilege } } },
  pivot: { words: 'The root filesystem cannot be entered' },
  propagation: { words: 'The propagation of mounts cannot be set' },
  mask: { words: 'The path cannot be hidden' },
  readonly: { words: 'The path cannot be made read-only' },
  sysctl: {
    words: 'The sysctl cannot be set',
    code: 'INVALID_OPTION',
    remedy: () =>
      'Only settings that belong to a namespace of the container can be set, and only to values that the kernel accepts.',
  },
  console: { words: 'The terminal cannot be set up' },
  loopback: { words: 'The loopback interface cannot be brought up' },
  'root-attr': { words: 'The root filesystem cannot be made read-only' },
  hostname: {
    words: 'The host name cannot be set',
    code: 'INVALID_OPTION',
    remedy: () => 'Use at most 64 characters.',
  },
  keyring: {
    words: 'The session keyring cannot be made',
    errors: { EDQUOT: { remedy: () => 'Raise kernel.keys.maxkeys.' } },
  },
  user: {
    words: 'The user is not known',
    code: 'INVALID_USER',
    errors: {
      EINVAL: {
        remedy: () =>
          "The container has only the ids that its privilege mode may map: run it as user '0', or have more granted (runtime.info() says how, at host.idRanges).",
      },
    },
    remedy: () => "Use a name of the image's /etc/passwd, or a number.",
  },
  groups: {
    words: 'The group is not known',
    code: 'INVALID_USER',
    remedy: () => "Use a name of the image's /etc/group, or a number.",
  },
  capabilities: {
    words: 'The capabilities cannot be set',
    errors: { EPERM: { remedy: () => 'A container can be given no capability that node itself lacks.' } },
  },
  seccomp: {
    words: 'The seccomp filter cannot be installed',
    errors: {
      EINVAL: {
        code: 'HOST_UNSUPPORTED',
        remedy: () => 'The kernel lacks CONFIG_SECCOMP_FILTER or one of the flags that were asked for.',
      },
    },
  },
  apparmor: {
    words: 'The AppArmor profile cannot be applied',
    code: 'HOST_UNSUPPORTED',
    errors: {
      ENOENT: { code: 'INVALID_OPTION', remedy: () => 'Load the profile with apparmor_parser, or choose another.' },
    },
    remedy: () => 'Check that AppArmor is enabled, or leave the profile out.',
  },
  rlimit: {
    words: 'The resource limit cannot be set',
    errors: {
      EPERM: {
        code: 'HOST_UNSUPPORTED',
        remedy: () => "The limit is above node's own hard limit; raise that, or ask for less.",
      },
      EINVAL: { code: 'INVALID_OPTION', remedy: () => 'The soft limit must not be above the hard limit.' },
    },
  },
  'oom-score': {
    words: 'oom_score_adj cannot be set',
    errors: { EACCES: { code: 'HOST_UNSUPPORTED', remedy: () => 'Only root can lower it.' } },
  },
  cwd: {
    words: 'The working directory cannot be entered',
    code: 'INVALID_OPTION',
    remedy: () => 'Choose a directory of the container that its user may enter.',
  },
  exec: {
    words: 'The command cannot be run',
    errors: {
      ENOENT: {
        code: 'COMMAND_NOT_FOUND',
        remedy: () =>
          'Check the name, the PATH of the container, and, for a script or a dynamic program, that its interpreter is in the image.',
      },
      ENOTDIR: { code: 'COMMAND_NOT_FOUND', remedy: () => 'Check the path.' },
      EACCES: {
        code: 'COMMAND_NOT_EXECUTABLE',
        remedy: () =>
          'Make the file executable (chmod +x) for the user that the container runs as, on a filesystem without noexec.',
      },
      EPERM: {
        code: 'COMMAND_NOT_EXECUTABLE',
        remedy: () => 'The program has capabilities that the container does not, or a security module forbids it.',
      },
      EISDIR: { code: 'COMMAND_NOT_EXECUTABLE', remedy: () => 'It is a directory; name a program.' },
      ENOEXEC: {
        code: 'COMMAND_NOT_EXECUTABLE',
        remedy: () => 'It is for another processor, or a script without a `#!` line.',
      },
      E2BIG: { code: 'INVALID_OPTION', remedy: () => 'Shorten the arguments and the environment.' },
    },
  },
  stdio: {
    words: "The program's input and output cannot be set up",
  },
  signal: { words: 'The signal cannot be sent' },
  log: { words: 'The log file cannot be opened', errors: { ENOSPC: noRoom } },
  'exit-record': { words: 'The exit record cannot be prepared', errors: { ENOSPC: noRoom } },
  'control-socket': { words: 'The control socket cannot be made', errors: { ENOSPC: noRoom } },
  child: {
    words: "The container's process was lost during its set-up",
    remedy: () => 'It was killed from outside or ran out of memory: look at the memory limit and the kernel log.',
  },
};

/** Operations whose detail is the bare path or name, and no more. */
const namesObject = new Set(['exec', 'mkdir', 'mask', 'readonly']);

/**
 * The `HakoError` for a failure record of the supervisor's. It names the operation, the object and, where one is
 * known, the remedy.
 *
 * @param during - what was under way, for failures that are neither's fault: `CONTAINER_START_FAILED` or `EXEC_FAILED`
 */
export function failureToError(frame: FailedFrame, during: 'start' | 'exec' = 'start'): HakoError {
  const errno = frame.errno === 0 ? undefined : errnoName(frame.errno);
  const meaning = meanings[frame.operation] ?? { words: `The operation '${frame.operation}' failed` };
  const particular = errno === undefined ? undefined : meaning.errors?.[errno];
  const lacking = errno === undefined || particular !== undefined ? undefined : scarce[errno];
  const nobodys = during === 'exec' ? 'EXEC_FAILED' : 'CONTAINER_START_FAILED';
  const code = lacking === undefined ? (particular?.code ?? meaning.code ?? nobodys) : nobodys;
  const object = frame.detail === '' ? '' : `: ${frame.detail}`;
  const why = errno === undefined ? '' : `: ${describeErrno(errno)}`;
  const remedy = lacking ?? (particular?.remedy ?? meaning.remedy)?.();
  return new HakoError(code, `${meaning.words}${object}${why}.${remedy === undefined ? '' : ` ${remedy}`}`, {
    operation: frame.operation,
    ...(errno === undefined ? {} : { errno }),
    ...(namesObject.has(frame.operation) ? { path: frame.detail } : {}),
  });
}
