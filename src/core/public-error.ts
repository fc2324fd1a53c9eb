import { isError } from '../base/errno.ts';
import { toHakoError } from '../native/syscall-error.ts';

/**
 * What callers are to get of a failure: one of the system's in hako's words, and of several the one that came first.
 * What they have thrown themselves, and reasons of their signals, stay what they are.
 */
export function publicError(error: unknown): unknown {
  if (isError(error) && error.name === 'SuppressedError' && 'suppressed' in error) return publicError(error.suppressed);
  return toHakoError(error);
}
