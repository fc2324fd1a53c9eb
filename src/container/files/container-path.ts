import { posix } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import { givenName } from '../call-options.ts';

/** A path as a user writes it for `cp`: what it says besides the names in it. */
export interface WrittenPath {
  /** Absolute and clean, as text: `..` takes a name away whatever that is. */
  readonly path: string;
  /** It ends in a slash or in `.`: it is meant to be a directory, and a symbolic link is followed. */
  readonly isDirectory: boolean;
  /** It ends in `.`: what is in the directory, without the directory. */
  readonly isContents: boolean;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function containerPathOf(written: string): WrittenPath {
  return writtenPath(written, (path) => posix.join('/', path));
}

/** The same for the host; a relative one begins at the working directory. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function hostPathOf(written: string): WrittenPath {
  return writtenPath(written, posix.resolve);
}

/** The path without its first slash, as the worker takes it. */
export function inTree(path: string): string {
  return path.replace(/^\/+/, '');
}

function writtenPath(given: string, join: (path: string) => string): WrittenPath {
  const written = givenName(given, 'A file');
  if (written === '') throw new HakoError('INVALID_OPTION', "A path is not empty. Write '/' for the root.");
  if (written.includes('\0'))
    throw new HakoError('INVALID_OPTION', 'A path holds a NUL character, which no path can have.');
  const joined = join(written);
  const path = joined === '/' ? joined : joined.replace(/\/+$/, '');
  const isContents = /(^|\/)\.$/.test(written);
  return { path, isDirectory: isContents || /(\/|(^|\/)\.\.)$/.test(written), isContents };
}
