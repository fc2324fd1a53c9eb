import { HakoError } from '../base/errors.ts';

export function runtimeClosed(): HakoError {
  return new HakoError('RUNTIME_CLOSED', 'This runtime has been closed. Open another with Runtime.open().');
}
