import { chmodSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/errno.ts';
import type { Mount } from '../contracts/mount.ts';

const workOption = 'workdir=';

/**
 * The same mounts for a container that does not outlive a crash of the machine. overlayfs then writes nothing through:
 * else the end of every container waits until the whole filesystem below it has been synced ("Volatile mount" in the
 * kernel's overlayfs.rst, Linux 5.10).
 *
 * @param again - the container has run before: overlayfs has left a mark in `work` by which it would refuse the mount.
 * No crash has come between, since no ephemeral container is there after one.
 */
export function volatileMounts(mounts: readonly Mount[], again: boolean): readonly Mount[] {
  return mounts.map((mount) => {
    const work = mount.type === 'overlay' ? mount.options.find((option) => option.startsWith(workOption)) : undefined;
    if (work === undefined) return mount;
    if (again) clearMark(join(work.slice(workOption.length), 'work'));
    return { ...mount, options: [...mount.options, 'volatile'] };
  });
}

function clearMark(work: string): void {
  try {
    // The kernel makes it with no permission at all, which stops its owner unless that is root.
    chmodSync(work, 0o700);
    rmSync(join(work, 'incompat/volatile/dirty'), { force: true });
    for (const made of ['incompat/volatile', 'incompat']) rmdirSync(join(work, made));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
