import type { PathStatus } from '../../native/worker.ts';

/** What is at a path of a container. @public */
export interface PathStat {
  /** The last component of the path as it was asked for. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo' | 'socket';
  /** Permission bits with set-id and sticky bits: `0o755`. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly modifiedAt: Date;
  /** For a symbolic link: the path in the container that it leads to in the end, whether anything is there or not. Otherwise null. */
  readonly linkTarget: string | null;
}

/** S_IFMT of inode(7), and the bits that Go's `fs.FileMode` has for it, which Docker's API speaks. */
const types = new Map<number, { readonly type: PathStat['type']; readonly go: number }>([
  [0o100000, { type: 'file', go: 0 }],
  [0o040000, { type: 'directory', go: 2 ** 31 }],
  [0o120000, { type: 'symlink', go: 2 ** 27 }],
  [0o020000, { type: 'character-device', go: 2 ** 26 + 2 ** 21 }],
  [0o060000, { type: 'block-device', go: 2 ** 26 }],
  [0o010000, { type: 'fifo', go: 2 ** 25 }],
  [0o140000, { type: 'socket', go: 2 ** 24 }],
]);

const goTypes = new Map([...types.values()].map(({ type, go }) => [type, go]));

export function pathStat(name: string, { mode, size, modifiedAt, linkTarget }: PathStatus): PathStat {
  return {
    name,
    type: types.get(mode & 0o170000)?.type ?? 'file',
    mode: mode & 0o7777,
    size,
    modifiedAt,
    linkTarget: linkTarget === null ? null : `/${linkTarget}`,
  };
}

/**
 * What Docker's API sends as the header `X-Docker-Container-Path-Stat`: Base64 of JSON, with a mode as Go has it.
 *
 * @public
 */
export function pathStatHeader({ name, type, mode, size, modifiedAt, linkTarget }: PathStat): string {
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  const document = {
    name,
    size,
    mode: (goTypes.get(type) ?? 0) + special + (mode & 0o777),
    mtime: modifiedAt.toISOString(),
    linkTarget: linkTarget ?? '',
  };
  return Buffer.from(JSON.stringify(document)).toString('base64');
}
