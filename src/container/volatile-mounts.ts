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
    if (workOf(mount) === undefined) return mount;
    if (again) clearVolatileMark(mount);
    return { ...mount, options: [...mount.options, 'volatile'] };
  });
}

function workOf({ type, options }: Mount): string | undefined {
  const work = type === 'overlay' ? options.find((option) => option.startsWith(workOption)) : undefined;
  return work?.slice(workOption.length);
}

/** Lets overlayfs mount it once more; a mount that is there, and has made the mark, does not look at it again. */
export function clearVolatileMark(mount: Mount): void {
  const directory = workOf(mount);
  if (directory === undefined) return;
  const work = join(directory, 'work');
  const [incompatible, mark] = [join(work, 'incompat'), join(work, 'incompat/volatile')];
  try {
    // The kernel makes all of them with no permission, which stops their owner unless that is root.
    for (const made of [work, incompatible, mark]) chmodSync(made, 0o700);
    rmSync(join(mark, 'dirty'), { force: true });
    for (const made of [mark, incompatible]) rmdirSync(made);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
