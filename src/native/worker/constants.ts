/** The numbers of native/worker/worker_protocol.h, held to it by test/unit/worker-protocol.test.ts. */

export const WORKER_VERSION = 4;
export const WORKER_MAX_REQUEST = 1 << 20;

/** The extended attribute in which a tree with a single owner keeps `<uid>:<gid>:<octal mode>`. */
export const OWNER_XATTR = 'user.hako.owner';

export const WorkerFd = {
  INPUT: 0,
  OUTPUT: 1,
  SOCKET: 3,
  BASE: 4,
  MOUNT_NAMESPACE: 5,
  USER_NAMESPACE: 6,
  NETWORK_NAMESPACE: 5,
} as const;

export const WorkerFrameType = {
  UNPACK: 1,
  REMOVE: 2,
  COPY: 3,
  USAGE: 4,
  MOUNTPOINTS: 5,
  PACK: 6,
  STAT: 7,
  COMPARE: 8,
  CONNECT: 9,
  SWEEP: 10,
  DONE: 64,
  FAILED: 65,
} as const;

export const TreeKind = { DIRECTORY: 0, OVERLAY: 1, MOUNTS: 2, NAMESPACE: 3 } as const;
export const WhiteoutsMode = { NONE: 0, OVERLAY: 1, APPLY: 2 } as const;
export const OpaqueXattr = { TRUSTED: 0, USER: 1 } as const;
export const OwnershipMode = { KEEP: 0, SINGLE: 1 } as const;
export const MountSource = { BIND: 0, OVERLAY: 1 } as const;
export const UnpackFlag = {
  DEVICES_OPTIONAL: 1,
  SYNC: 2,
  KEEP_ROOT: 4,
  KEEP_KINDS: 8,
  OWNER: 16,
  PLAIN: 32,
} as const;
export const PackFlag = { WHITEOUTS: 1, OWNERS: 2, ADOPT: 4 } as const;
export const CompareFlag = { MARKS: 1, OWNERS: 2, LAYER: 4 } as const;
export const MountpointKind = { DIRECTORY: 0, FILE: 1, SYMLINK: 2 } as const;
