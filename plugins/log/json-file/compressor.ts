import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { NativeServices } from 'libhako/plugin';
import { compressFile } from './gzip-log.ts';
import { ifThere, lastRecordTime } from './log-files.ts';

/** The supervisor moves no file while somebody has the lock of this name (native/supervisor/log_file.h). */
const lockName = 'log.lock';
const mode = 0o640;

/**
 * Compresses the rotated files of a log, `<name>.<k>` to `<name>.<k>.gz`, each under a name of its own first. The lock
 * is held only while names are exchanged: the supervisor goes on rotating meanwhile, and the file is looked for under
 * whatever number it has by then. A log that is removed meanwhile is no failure.
 */
export async function compressRotated(
  path: string,
  maxFiles: number,
  native: Pick<NativeServices, 'lock'>,
  signal: AbortSignal,
): Promise<void> {
  for (const index of await uncompressed(path)) {
    signal.throwIfAborted();
    const source = await ifThere(open(`${path}.${index}`));
    if (source === null) continue;
    try {
      await compressOne(path, maxFiles, source, native, signal);
    } catch (error) {
      if ((await ifThere(stat(path))) === null) return;
      throw error;
    } finally {
      await source.close();
    }
  }
}

/** The numbers of the files that wait, the oldest first. */
async function uncompressed(path: string): Promise<number[]> {
  const prefix = `${basename(path)}.`;
  const names = (await ifThere(readdir(dirname(path)))) ?? [];
  const numbers = names.flatMap((name) =>
    name.startsWith(prefix) && /^[1-9]\d*$/.test(name.slice(prefix.length)) ? [Number(name.slice(prefix.length))] : [],
  );
  return numbers.sort((a, b) => b - a);
}

async function compressOne(
  path: string,
  maxFiles: number,
  source: FileHandle,
  native: Pick<NativeServices, 'lock'>,
  signal: AbortSignal,
): Promise<void> {
  const { ino: inode, size, atime, mtime } = await source.stat({ bigint: true });
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  const target = await open(temporary, 'wx', mode);
  try {
    try {
      await compressFile(source, target, { lastTime: await lastRecordTime(source, Number(size)), inode }, signal);
      // As gzip(1) does; a reader tells by it which files are newer than the one it has.
      await target.utimes(atime, mtime);
      await target.sync();
    } finally {
      await target.close();
    }
    await exchange(path, maxFiles, inode, temporary, native, signal);
  } catch (error) {
    await ifThere(unlink(temporary));
    throw error;
  }
}

async function exchange(
  path: string,
  maxFiles: number,
  inode: bigint,
  temporary: string,
  native: Pick<NativeServices, 'lock'>,
  signal: AbortSignal,
): Promise<void> {
  await using _lock = await native.lock(join(dirname(path), lockName), { wait: true, signal });
  for (let index = 1; index < maxFiles; index++) {
    const name = `${path}.${index}`;
    if ((await ifThere(stat(name, { bigint: true })))?.ino !== inode) continue;
    // Somebody who started the container again may have taken it for a leftover, and does the work himself.
    if ((await ifThere(rename(temporary, `${name}.gz`).then(() => true))) === null) return;
    await syncDirectory(dirname(path));
    await unlink(name);
    return;
  }
  // Rotated away, or compressed by another process, before this one was done.
  await ifThere(unlink(temporary));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what a crash left of a compression. One that goes on in another process gives up when its file is gone. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of (await ifThere(readdir(dirname(path)))) ?? []) {
    if (name.startsWith(prefix) && /^[0-9a-f]{16}\.tmp$/.test(name.slice(prefix.length)))
      await ifThere(unlink(join(dirname(path), name)));
  }
}
