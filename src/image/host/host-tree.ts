import { constants } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMountInfo } from '../../base/mountinfo.ts';
import type { HiddenDirectory, HostEntry, HostTree } from './host-root-plan.ts';

/** What of the host's root is a directory or a link there; anything else is of no use in a container. */
export async function readHostTree(): Promise<HostTree> {
  const [entries, mountinfo] = await Promise.all([
    readdir('/', { withFileTypes: true }),
    readFile('/proc/self/mountinfo', 'utf8'),
  ]);
  const described = await Promise.all(
    entries.map(async (entry): Promise<HostEntry | null> => {
      if (entry.isDirectory()) return { name: entry.name, kind: 'directory' };
      return entry.isSymbolicLink()
        ? { name: entry.name, kind: 'symlink', target: await readlink(join('/', entry.name)) }
        : null;
    }),
  );
  return {
    entries: described.filter((entry) => entry !== null),
    mountPoints: parseMountInfo(mountinfo)
      .map(({ mountPoint }) => mountPoint)
      .filter((path) => path !== '/'),
  };
}

/** Those of `paths` that are there, by their real paths; what is within another of them is hidden with it. */
export async function findHidden(paths: readonly string[]): Promise<readonly HiddenDirectory[]> {
  const found = new Map<string, number>();
  for (const path of paths) {
    const real = await realpath(path).catch(() => null);
    if (real === null || real === '/') continue;
    const status = await stat(real);
    if (status.isDirectory())
      found.set(real, status.mode & (constants.S_IRWXU | constants.S_IRWXG | constants.S_IRWXO | 0o1000));
  }
  const all = [...found.keys()].sort();
  return all
    .filter((path) => !all.some((other) => path.startsWith(`${other}/`)))
    .map((path) => ({ path, mode: found.get(path) ?? 0o755 }));
}
