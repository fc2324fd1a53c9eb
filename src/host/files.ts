import { accessSync, constants, lstatSync, readdirSync, readFileSync } from 'node:fs';

/** What detection reads of the host, so that a test can describe another host. */
export interface HostFiles {
  /** null: not there, or not to be read. */
  read(path: string): string | null;
  /** Names in a directory; empty when it is not there. */
  list(path: string): readonly string[];
  exists(path: string): boolean;
  /** A program that may be run, found in the usual directories; null: none. */
  findProgram(name: string): string | null;
}

/** Not PATH: what is run with privilege must not depend on the environment. */
const programDirectories = [
  '/usr/bin',
  '/bin',
  '/usr/local/bin',
  '/usr/sbin',
  '/run/wrappers/bin',
  '/run/current-system/sw/bin',
];

export const realHostFiles: HostFiles = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  },
  list(path) {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  exists: (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
  findProgram(name) {
    for (const directory of programDirectories) {
      try {
        accessSync(`${directory}/${name}`, constants.X_OK);
        return `${directory}/${name}`;
      } catch {
        // Not in this directory.
      }
    }
    return null;
  },
};
