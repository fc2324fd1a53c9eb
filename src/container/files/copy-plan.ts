import { posix } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import type { WrittenPath } from './container-path.ts';

/** What is copied. */
export interface CopySource {
  readonly written: WrittenPath;
  readonly isDirectory: boolean;
}

/** Where it is to go: what is there now, with a symbolic link followed; null: nothing. */
export interface CopyDestination {
  readonly written: WrittenPath;
  /** Where a symbolic link at the destination leads, else the path itself. */
  readonly path: string;
  readonly present: { readonly isDirectory: boolean } | null;
}

/** Unpack into `directory`, which must be there, what is packed under `name`; no name: the contents of a directory. */
export interface CopyPlan {
  readonly directory: string;
  readonly name: string;
}

/**
 * What becomes of a copy, in the rules of `cp -a` that `docker cp` has.
 *
 * @throws HakoError `HAKO_ERR_PATH_CONFLICT` for a directory onto a file; `HAKO_ERR_PATH_NOT_FOUND` for a file to a
 * directory that is not there
 */
export function planCopy({ written, isDirectory }: CopySource, destination: CopyDestination): CopyPlan {
  const { path, present } = destination;
  const wanted = destination.written.path;
  if (written.isDirectory && !isDirectory)
    throw new HakoError('PATH_CONFLICT', `'${written.path}' is no directory. Write it without a slash at the end.`, {
      path: written.path,
    });
  if (present?.isDirectory === true)
    return { directory: path, name: written.isContents || written.path === '/' ? '' : posix.basename(written.path) };
  if (present !== null && (isDirectory || destination.written.isDirectory))
    throw new HakoError(
      'PATH_CONFLICT',
      isDirectory
        ? `The directory '${written.path}' cannot be copied onto '${wanted}', which is no directory. Choose another destination.`
        : `'${wanted}' is no directory. Write it without a slash at the end, or choose another destination.`,
      { path: wanted },
    );
  if (present === null && !isDirectory && destination.written.isDirectory)
    throw new HakoError(
      'PATH_NOT_FOUND',
      `The directory '${wanted}' is not there, so the file '${written.path}' cannot be copied into it. Make it first.`,
      { path: wanted },
    );
  return { directory: posix.dirname(path), name: posix.basename(path) };
}
