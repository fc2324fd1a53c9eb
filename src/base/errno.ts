import { isNativeError } from 'node:util/types';

/** Whether an error of Node's is this error of the system call's: `hasErrno(error, 'ENOENT')`. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  return isError(error) && 'code' in error && typeof error.code === 'string' && names.includes(error.code);
}

/** Whether a call failed for want of what any call takes: that says nothing of what it asked for. */
export function isForWant(error: unknown): boolean {
  return hasErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM');
}

/** Also one of another realm: in Jest, what Node itself throws is no `instanceof Error`. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}
