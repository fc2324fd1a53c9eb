/**
 * The supervisor's protocol (native/protocol.h) in TypeScript: what may be asked, what may come back, and both in
 * bytes. Nothing here does I/O.
 */
export {
  AttachFlag,
  BindFlag,
  CgroupStepType,
  CONTROL_SOCKET,
  EXIT_RECORD,
  ExecFlag,
  FrameType,
  IdMapMethod,
  MAX_FRAME,
  MAX_REQUEST,
  PROTOCOL_VERSION,
  ProcessFlag,
  SetupOperationType,
  SinkType,
  StartFlag,
  SupervisorFd,
  TargetFlag,
} from './protocol/constants.ts';
export { decodeFrame, FrameDecoder } from './protocol/decode.ts';
export { encodeExec, encodeFrame, encodeStart } from './protocol/encode.ts';
export type {
  ClientFrame,
  ExitedFrame,
  FailedFrame,
  Frame,
  LogRotatedFrame,
  OomFrame,
  OutputFrame,
  StartedFrame,
  StateReplyFrame,
} from './protocol/frames.ts';
export {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  RLIM_INFINITY,
} from './protocol/linux.ts';
export type {
  AttachStreams,
  CapabilityMasks,
  CgroupStep,
  ExecRequest,
  IdMapRequest,
  NamespaceJoin,
  ProcessRequest,
  ResourceLimit,
  SetupOperation,
  SinkRequest,
  StartRequest,
  TargetPolicy,
  TerminalSize,
} from './protocol/requests.ts';
export { frameHeader } from './protocol/wire.ts';
