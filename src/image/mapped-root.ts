import { chmodSync, chownSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { IdMapping } from '../contracts/isolation.ts';
import type { Mount } from '../contracts/mount.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';

/** Whom the host takes root of a user namespace for. */
export interface MappedRoot {
  readonly uid: number;
  readonly gid: number;
}

/** null: files belong to this very user, who needs nothing more to use them. */
export function mappedRootOf(ownership: FileOwnership): MappedRoot | null {
  if (ownership.kind === 'same') return null;
  const { uid, gid } = ownership.idMappings;
  const root = { uid: hostIdOfRoot(uid), gid: hostIdOfRoot(gid) };
  return root.uid === process.getuid?.() ? null : root;
}

function hostIdOfRoot(mappings: readonly IdMapping[]): number {
  const mapping = mappings.find(({ containerId }) => containerId === 0);
  return mapping?.hostId ?? 0;
}

/**
 * Gives a snapshot to root of a user namespace who is somebody else outside: when hako runs as root, and the
 * container's root is not. What is written belongs to them, and they may pass through the directories that lead there.
 * Nobody else may, because layers hold set-uid programs of strangers (CVE-2021-41091).
 *
 * @param root - hako's own root, at which the way begins.
 */
export function giveSnapshot(root: string, directory: string, mounts: readonly Mount[], owner: MappedRoot): void {
  const work = mounts.flatMap(({ options }) =>
    options.filter((option) => option.startsWith('workdir=')).map((option) => option.slice('workdir='.length)),
  );
  for (const path of [directory, ...work]) {
    if (statSync(path).uid === process.getuid?.()) chownSync(path, owner.uid, owner.gid);
    openWay(root, dirname(path), owner.gid);
  }
}

/** Lets a group, and nobody else, pass through the directories from hako's own root down to one. */
export function openWay(root: string, directory: string, gid: number): void {
  for (let path = directory; path === root || path.startsWith(`${root}/`); path = dirname(path)) {
    const status = statSync(path);
    if (status.uid !== process.getuid?.()) continue; // theirs already
    if (status.gid !== gid) chownSync(path, status.uid, gid);
    if ((status.mode & 0o777) !== 0o710) chmodSync(path, 0o710);
  }
}
