import { readFileSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { isError } from '../base/errno.ts';

/** What reading figures takes. */
export type CgroupReader = Pick<CgroupFiles, 'read'>;

/** What is done to control groups, so that a test can stand in for the kernel. Errors are Node's, with `code`. */
export interface CgroupFiles {
  /** null: not there, or not to be read. */
  read(path: string): Promise<string | null>;
  /** The same at once, for files of a line or two that the kernel has ready. */
  readNow(path: string): string | null;
  /** One write(2). */
  write(path: string, value: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** Names of files and of directories; null: not there. */
  list(path: string): Promise<{ readonly files: readonly string[]; readonly directories: readonly string[] } | null>;
  writable(path: string): Promise<boolean>;
}

/** The kernel's own. No path here is ever inside a container's root. */
export const kernelCgroupFiles: CgroupFiles = {
  async read(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      return nothing(error);
    }
  },
  readNow(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      return nothing(error);
    }
  },
  write: (path, value) => writeFile(path, value, { flag: 'r+' }),
  mkdir: (path) => mkdir(path, { mode: 0o755 }).then(() => {}),
  rmdir: (path) => rmdir(path),
  async list(path) {
    try {
      const entries = await readdir(path, { withFileTypes: true });
      return {
        files: entries.filter((entry) => entry.isFile()).map((entry) => entry.name),
        directories: entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name),
      };
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  },
  writable: (path) =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    ),
};

/** PSI that was switched off, and a few files of v1, are there and say EOPNOTSUPP. */
function nothing(error: unknown): null {
  if (isAbsent(error) || hasCode(error, 'EACCES') || hasCode(error, 'EOPNOTSUPP')) return null;
  throw error;
}

export function hasCode(error: unknown, code: string): boolean {
  return isError(error) && 'code' in error && error.code === code;
}

/** ENODEV is what a file of a group gives that was removed while it was open. */
export function isAbsent(error: unknown): boolean {
  return hasCode(error, 'ENOENT') || hasCode(error, 'ENODEV');
}

/** Also of another process that makes the same group at the same moment. */
export async function makeDirectory(path: string, files: CgroupFiles): Promise<void> {
  try {
    await files.mkdir(path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    // Without write permission the kernel says EACCES before it sees that the group is there.
    if ((await files.list(path)) !== null) return;
    throw error;
  }
}
