import { randomUUID } from 'node:crypto';
import { readdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Disposer } from '../base/dispose.ts';
import { hasErrno } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import { ownPidNamespace } from '../host/process-identity.ts';

/**
 * Claims a root for this runtime, among those of its pid namespace: processes are told from dead ones by their pids, and
 * those of another namespace would seem dead. A claim is a file under flock(2), which a killed process cannot keep, and
 * which holds across namespaces.
 *
 * @throws HakoError `HAKO_ERR_ROOT_IN_USE` while a process of another pid namespace has the root open;
 * `HAKO_ERR_HOST_UNSUPPORTED` where /proc does not tell of this process
 */
export async function claimRoot(
  directory: string,
  native: Pick<NativeBinding, 'isLocked'>,
  services: Pick<NativeServices, 'lock'>,
): Promise<AsyncDisposable> {
  if (readlinkSync('/proc/self') !== String(process.pid))
    throw new HakoError(
      'HOST_UNSUPPORTED',
      '/proc belongs to another pid namespace than this process. Mount it anew (unshare --mount-proc does).',
    );
  const own = join(directory, `${ownPidNamespace()}.${randomUUID()}`);
  const lock = await lockedFile(own, services);
  await using claim = new Disposer();
  claim.defer(async () => {
    await lock[Symbol.asyncDispose]();
    removeUnheld(own);
  });
  const stranger = readdirSync(directory)
    .filter((name) => isHeld(join(directory, name), native))
    .find((name) => !name.startsWith('.') && !name.startsWith(`${ownPidNamespace()}.`));
  if (stranger === undefined) return claim.move();
  throw new HakoError(
    'ROOT_IN_USE',
    `The root is in use by a process of another pid namespace, mostly that of another container (see ${join(directory, stranger)}). Give each a root of its own, or let them share the pid namespace.`,
    { path: directory },
  );
}

/** It has its name, by which others look for it, only when it is locked. */
async function lockedFile(path: string, services: Pick<NativeServices, 'lock'>): Promise<AsyncDisposable> {
  const unnamed = join(dirname(path), `.${basename(path)}`);
  for (;;) {
    const lock = await services.lock(unnamed, { wait: true });
    if (lock === null) continue;
    try {
      renameSync(unnamed, path);
      return lock;
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      // Somebody took it for a dead one's before it was locked.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

/** What a killed process has left is cleared away. */
function isHeld(path: string, native: Pick<NativeBinding, 'isLocked'>): boolean {
  const held = native.isLocked(path);
  if (!held) removeUnheld(path);
  return held;
}

/** What cannot be removed now is the next one's: a claim that nobody holds means nothing. */
function removeUnheld(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is looked at, and tried again, whenever the root is opened.
  }
}
