import { constants } from 'node:fs';
import { HakoError } from '../base/errors.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { isChildOf } from '../host/process-identity.ts';
import type { RecordedState } from './record.ts';

type Run = Pick<Extract<RecordedState, { status: 'running' }>, 'pid' | 'supervisor'>;

/**
 * Whether the pid that a record names is still its container's. From its end until that is recorded it may be anybody's:
 * what was opened by it counts only when this is true afterwards.
 */
export function isFirstProcess({ pid, supervisor }: Run): boolean {
  return isChildOf(pid, supervisor);
}

/** A namespace of a running container, by its name in /proc (namespaces(7)). @returns null: the container has ended */
export function openNamespace(native: Pick<NativeBinding, 'open' | 'close'>, run: Run, file: string): number | null {
  let fd: number;
  try {
    fd = native.open(`/proc/${run.pid}/ns/${file}`, constants.O_RDONLY);
  } catch (error) {
    if (error instanceof HakoError && (error.errno === 'ENOENT' || error.errno === 'ESRCH')) return null;
    throw error;
  }
  if (isFirstProcess(run)) return fd;
  native.close(fd);
  return null;
}
