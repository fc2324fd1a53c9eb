import { HakoError } from '../../base/errors.ts';

export function exists(name: string): HakoError {
  return new HakoError('SNAPSHOT_EXISTS', `There is a snapshot '${name}' already.`);
}

export function notFound(name: string): HakoError {
  return new HakoError('SNAPSHOT_NOT_FOUND', `There is no snapshot '${name}'.`);
}
