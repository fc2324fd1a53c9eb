import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { hasErrno } from '../../base/errno.ts';
import { notFound } from './failures.ts';
import { readId, type SnapshotRecord } from './record.ts';

/**
 * Works on a snapshot by descriptor, so that it is the same one even if its name is given to another meanwhile.
 *
 * @throws HakoError `HAKO_ERR_SNAPSHOT_NOT_FOUND` when it is not there any more.
 */
export function withDirectory(record: SnapshotRecord, work: (directory: string) => void): void {
  let fd: number | undefined;
  try {
    fd = openSync(record.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    const directory = `/proc/self/fd/${fd}`;
    if (readId(directory) !== record.id) throw notFound(record.name);
    work(directory);
  } catch (error) {
    throw hasErrno(error, 'ENOENT') ? notFound(record.name) : error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** fsync(2) of a directory: the names in it are on disk. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
