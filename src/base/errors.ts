import { type ErrorCode, type ErrorKind, errorKinds } from './error-codes.ts';

export type { ErrorCode, ErrorKind } from './error-codes.ts';

const brand = Symbol.for('libhako.HakoError');

/**
 * What a {@link HakoError} may carry besides its sentence.
 *
 * @public
 */
export interface HakoErrorDetails {
  /** What was caught. */
  readonly cause?: unknown;
  /** `ENOENT`, `EPERM` …: the system call's error, when there was one. */
  readonly errno?: string;
  /** The operation that failed, in the words of the system call or step. */
  readonly operation?: string;
  /** The path or object that it was done to. */
  readonly path?: string;
}

/**
 * Every error that hako throws. `code` never changes meaning; `kind` says how to react; the message
 * names the operation and the object, and ends with the remedy where one is known.
 *
 * `instanceof` works across two installed copies of the package.
 *
 * @public
 */
export class HakoError extends Error {
  /** What has gone wrong, for programs. */
  readonly code: ErrorCode;
  /** How to react. */
  readonly kind: ErrorKind;
  /** `ENOENT`, `EPERM` …: the system call's error, when there was one. */
  readonly errno?: string;
  /** What failed, in the words of the system call or step. */
  readonly operation?: string;
  /** What it was done to. */
  readonly path?: string;

  constructor(code: keyof typeof errorKinds, message: string, details: HakoErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'HakoError';
    this.code = `HAKO_ERR_${code}`;
    this.kind = errorKinds[code];
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.operation !== undefined) this.operation = details.operation;
    if (details.path !== undefined) this.path = details.path;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** Whether an error is hako's with this code. */
export function hasHakoCode(error: unknown, code: ErrorCode): error is HakoError {
  return error instanceof HakoError && error.code === code;
}
