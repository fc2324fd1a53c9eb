/**
 * How a caller should react to an error, in the field's terms (the classes are containerd's errdefs).
 *
 * @public
 */
export type ErrorKind =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'conflict'
  | 'failed_precondition'
  | 'permission_denied'
  | 'unavailable'
  | 'not_supported'
  | 'resource_exhausted'
  | 'data_loss'
  | 'internal';

/**
 * The one table of error codes. docs/errors.md is held to it, both ways, by a test.
 * A code is stable for ever; its sentence may improve.
 */
export const errorKinds = {
  INVALID_OPTION: 'invalid_argument',
  INVALID_NAME: 'invalid_argument',
  INVALID_USER: 'invalid_argument',
  INVALID_DIGEST: 'invalid_argument',
  INVALID_REFERENCE: 'invalid_argument',
  INVALID_IMAGE: 'invalid_argument',
  INVALID_ARCHIVE: 'invalid_argument',
  INVALID_SECCOMP_PROFILE: 'invalid_argument',
  ARCHIVE_LIMIT_EXCEEDED: 'resource_exhausted',
  BLOB_DIGEST_MISMATCH: 'data_loss',
  BLOB_NOT_FOUND: 'not_found',
  IMAGE_NOT_FOUND: 'not_found',
  IMAGE_IN_USE: 'conflict',
  CONTAINER_NOT_FOUND: 'not_found',
  CONTAINER_NAME_IN_USE: 'already_exists',
  CONTAINER_NOT_RUNNING: 'failed_precondition',
  CONTAINER_ALREADY_STARTED: 'failed_precondition',
  CONTAINER_RUNNING: 'conflict',
  CONTAINER_BUSY: 'conflict',
  CONTAINER_PAUSED: 'failed_precondition',
  CONTAINER_NOT_PAUSED: 'failed_precondition',
  CONTAINER_START_FAILED: 'internal',
  PATH_NOT_FOUND: 'not_found',
  PATH_CONFLICT: 'conflict',
  PATH_UNSUPPORTED: 'not_supported',
  COMMAND_NOT_FOUND: 'not_found',
  COMMAND_NOT_EXECUTABLE: 'permission_denied',
  EXEC_FAILED: 'internal',
  EXEC_NOT_FOUND: 'not_found',
  DETACHED: 'failed_precondition',
  OUTPUT_TOO_LARGE: 'resource_exhausted',
  SNAPSHOT_NOT_FOUND: 'not_found',
  SNAPSHOT_EXISTS: 'already_exists',
  SNAPSHOT_HAS_CHILDREN: 'failed_precondition',
  PLUGIN_NOT_FOUND: 'not_found',
  PLUGIN_EXISTS: 'already_exists',
  PLUGIN_API_MISMATCH: 'failed_precondition',
  PLUGIN_UNSUPPORTED: 'not_supported',
  LOG_NOT_READABLE: 'not_supported',
  IDS_EXHAUSTED: 'resource_exhausted',
  HOST_UNSUPPORTED: 'not_supported',
  NATIVE_NOT_FOUND: 'failed_precondition',
  PERMISSION_DENIED: 'permission_denied',
  SYSCALL_FAILED: 'internal',
  SUPERVISOR_LOST: 'unavailable',
  SERVICE_NOT_READY: 'unavailable',
  PROTOCOL_ERROR: 'internal',
  RUNTIME_CLOSED: 'failed_precondition',
  POOL_CLOSED: 'failed_precondition',
  STATE_CORRUPT: 'data_loss',
  STATE_UNAVAILABLE: 'unavailable',
  ROOT_IN_USE: 'conflict',
  STATE_TOO_NEW: 'failed_precondition',
} as const satisfies Record<string, ErrorKind>;

/** What a {@link HakoError} says has gone wrong; each is explained in docs/errors.md. @public */
export type ErrorCode = `HAKO_ERR_${keyof typeof errorKinds}`;
