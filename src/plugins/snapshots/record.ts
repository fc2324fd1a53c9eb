import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasErrno, isForWant } from '../../base/errno.ts';
import { HakoError } from '../../base/errors.ts';
import { overwriteFile } from '../../base/overwrite-file.ts';
import { randomHex } from '../../base/random.ts';
import type { ActiveKey, CommittedName } from '../../contracts/storage-driver.ts';
import { directoryName } from './names.ts';

export const recordFile = 'snapshot.json';

const schema = z.object({
  /** Tells this snapshot from another that had or will have its name. */
  id: z.string().regex(/^[0-9a-f]{24}$/),
  key: z.string().transform((key) => key as ActiveKey),
  kind: z.enum(['active', 'view']),
  parent: z
    .string()
    .nullable()
    .transform((parent) => parent as CommittedName | null),
  parentId: z.string().nullable(),
  createdAt: z.iso.datetime(),
  /** Set just before the directory gets this name. Until it has it, the snapshot is not committed. */
  committedAs: z
    .string()
    .optional()
    .transform((name) => name as CommittedName | undefined),
});

const idOnly = schema.pick({ id: true });

export type StoredSnapshot = z.input<typeof schema>;

/**
 * A snapshot as the store knows it.
 *
 * @public
 */
export interface SnapshotRecord {
  readonly id: string;
  readonly name: ActiveKey | CommittedName;
  readonly kind: 'active' | 'view' | 'committed';
  readonly parent: CommittedName | null;
  readonly parentId: string | null;
  readonly createdAt: Date;
  /** The snapshot's own directory, in which the driver keeps what it likes. */
  readonly directory: string;
}

/**
 * @returns null when the directory is not there
 * @throws HakoError `HAKO_ERR_STATE_CORRUPT` when its record cannot be read, as after a power cut.
 */
export function readRecord(directory: string, baseName: string): SnapshotRecord | null {
  const path = join(directory, baseName);
  let text: string;
  try {
    text = readFileSync(join(path, recordFile), 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
  try {
    const { committedAs, key, kind, ...stored } = schema.parse(JSON.parse(text));
    const committed = committedAs !== undefined && directoryName(committedAs) === baseName;
    if (!committed && directoryName(key) !== baseName) throw new Error(`it is the record of '${key}'`);
    return {
      ...stored,
      name: committed ? committedAs : key,
      kind: committed ? 'committed' : kind,
      createdAt: new Date(stored.createdAt),
      directory: path,
    };
  } catch (cause) {
    throw new HakoError(
      'STATE_CORRUPT',
      `The record of the snapshot at ${path} cannot be read. Remove the snapshot, then import its image or create its container again.`,
      { cause, path },
    );
  }
}

/** The id in the record of a directory, whatever that is called now; null when there is none to be read. */
export function readId(path: string): string | null {
  try {
    return idOnly.parse(JSON.parse(readFileSync(join(path, recordFile), 'utf8'))).id;
  } catch (error) {
    // Else a snapshot that is there would be taken for another.
    if (isForWant(error)) throw error;
    return null;
  }
}

/** @returns the file's path */
export function writeRecord(directory: string, record: StoredSnapshot): string {
  const path = join(directory, recordFile);
  overwriteFile(path, JSON.stringify(record), 0o600);
  return path;
}

/**
 * Replaces the record so that a reader sees the old one or the new one, never half of it, also after a power cut.
 *
 * @param before - called with the new record's file before it takes the old one's place.
 */
export function replaceRecord(directory: string, record: StoredSnapshot, before: (file: string) => void): void {
  const path = join(directory, recordFile);
  const temporary = `${path}.${randomHex(6)}`;
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600, flush: true });
  before(temporary);
  renameSync(temporary, path);
}
