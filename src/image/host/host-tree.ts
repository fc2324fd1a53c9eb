import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';
import { parseMountInfo } from '../../base/mountinfo.ts';
import type { HiddenPath, HostEntry, HostTree } from './host-root-plan.ts';

// All of it synchronous: a few quick calls, on the path of every start.

/** What of the host's root is a directory or a link there; anything else is of no use in a container. */
export function readHostTree(): HostTree {
  const entries = readdirSync('/', { withFileTypes: true }).flatMap((entry): HostEntry[] => {
    if (entry.isDirectory()) return [{ name: entry.name, kind: 'directory' }];
    return entry.isSymbolicLink()
      ? [{ name: entry.name, kind: 'symlink', target: readlinkSync(join('/', entry.name)) }]
      : [];
  });
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  return { entries, mountPoints: mounts.map(({ mountPoint }) => mountPoint).filter((path) => path !== '/') };
}

/** Those of `paths` that are there, by their real paths; what is within another of them is hidden with it. */
export function findHidden(paths: readonly string[]): readonly HiddenPath[] {
  const found = new Map<string, Omit<HiddenPath, 'path'>>();
  for (const path of paths) {
    const real = realPath(path);
    if (real === null || real === '/') continue;
    const status = statSync(real);
    if (status.isDirectory()) found.set(real, { kind: 'directory', mode: status.mode & 0o1777 });
    if (status.isFile()) found.set(real, { kind: 'file', mode: status.mode & 0o777 });
  }
  const all = [...found].sort(([one], [other]) => (one < other ? -1 : 1));
  return all
    .filter(([path]) => !all.some(([other]) => path.startsWith(`${other}/`)))
    .map(([path, what]) => ({ path, ...what }));
}

function realPath(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP')) return null; // nobody gets there, so nothing is to be hidden
    throw error;
  }
}
