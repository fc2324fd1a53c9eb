/**
 * The numbers of native/protocol.h. A test reads the header and compares every one, so that neither side can
 * change alone. A name here is the header's without its `HAKO_` and its group's prefix.
 */
export const PROTOCOL_VERSION = 1;

/** Descriptors that a supervisor is born with. */
export const SupervisorFd = { OWNER: 3, STATE: 4, EXTRA: 5 } as const;

/** Names in a container's state directory. */
export const CONTROL_SOCKET = 'control.sock';
export const EXIT_RECORD = 'exit.json';

/** Largest payload of START, GO and EXEC, in bytes. */
export const MAX_REQUEST = 8 << 20;
/** Largest payload of every other frame, in bytes. */
export const MAX_FRAME = 64 << 10;

export const FrameType = {
  START: 1,
  EXEC: 2,
  ATTACH: 3,
  STATE: 4,
  SIGNAL: 5,
  STDIN: 6,
  STDIN_EOF: 7,
  RESIZE: 8,
  HOLD: 9,
  GROUP: 10,
  GO: 11,
  STARTED: 64,
  FAILED: 65,
  OUTPUT: 66,
  EXITED: 67,
  STATE_REPLY: 68,
  LOG_ROTATED: 69,
  OOM: 70,
  PREPARED: 71,
} as const;

export const StartFlag = { DETACHED: 0x1, DURABLE: 0x2, STDIN: 0x4, STDIN_ONCE: 0x8, WAIT: 0x10 } as const;

export const GoFlag = { STDIN: 0x1 } as const;

export const ExecFlag = { DETACHED: 0x1, STDIN: 0x4 } as const;

export const AttachFlag = { STDIN: 0x1, STDOUT: 0x2, STDERR: 0x4 } as const;

export const ProcessFlag = { TTY: 0x1, NO_NEW_PRIVS: 0x2, INIT: 0x4, CREATE_CWD: 0x8 } as const;

export const IdMapMethod = { NONE: 0, DIRECT: 1, HELPERS: 2 } as const;

export const CgroupStepType = { MKDIR: 1, WRITE: 2, JOIN: 3, INTO: 4, DEVICES: 5 } as const;

export const SetupOperationType = {
  PROPAGATION: 1,
  MOUNT: 2,
  BIND: 3,
  MKDIR: 4,
  SYMLINK: 5,
  MKNOD: 6,
  PIVOT: 7,
  MASK: 8,
  READONLY: 9,
  SYSCTL: 10,
  CONSOLE: 11,
  LOOPBACK: 12,
  ROOT_ATTR: 13,
  LAYERS: 14,
} as const;

export const TargetFlag = { FILE: 0x1, DIR: 0x2, NO_FOLLOW: 0x4 } as const;

export const BindFlag = { RECURSIVE: 0x10, OPTIONAL: 0x20, DEVICE: 0x40, HOST: 0x80, IDMAP: 0x100 } as const;

export const SinkType = { NONE: 0, JSON_FILE: 1, JOURNAL: 2 } as const;
