import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';
import { HakoError } from '../../base/errors.ts';
import { randomHex } from '../../base/random.ts';
import { Spares } from '../../base/spares.ts';
import { Trash } from '../../base/trash.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import type { ActiveKey, CommittedName, SnapshotInfo } from '../../contracts/storage-driver.ts';
import { isMakerAlive, makerPrefix } from '../../host/process-identity.ts';
import { ChildMarkers } from './children.ts';
import { syncDirectory, withDirectory } from './directory.ts';
import { exists, notFound } from './failures.ts';
import { directoryName } from './names.ts';
import {
  readId,
  readRecord,
  recordFile,
  replaceRecord,
  type SnapshotRecord,
  type StoredSnapshot,
  writeRecord,
} from './record.ts';

const stagingName = '.tmp';
const commitLock = '.commit.lock';
const mostMade = 10_000;

/** A directory that every active snapshot begins with. @public */
export interface SnapshotDirectory {
  readonly name: string;
  /** As in chmod(2). */
  readonly mode: number;
}

/** Fills the directory of a snapshot that is being made; `chain` is what it lies on, the nearest first. @public */
export type Populate = (directory: string, chain: readonly SnapshotRecord[]) => void | Promise<void>;

/** Does away with a snapshot's directory. @public */
export type Discard = (directory: string) => Promise<void>;

/**
 * The part of a storage driver that is the same for every driver that keeps snapshots as directories: names,
 * parents, and the promise that each operation happens or leaves no trace, over `kill -9` and with any number of
 * processes on one directory. What a snapshot's directory holds is the driver's own affair.
 *
 * There is no index: a snapshot exists when its directory has its name, and rename(2) gives it that. Only commits
 * exclude each other.
 *
 * @public
 */
export class SnapshotStore implements AsyncDisposable {
  readonly #directory: string;
  readonly #native: PluginContext['native'];
  readonly #trash: Trash;
  readonly #spares: Spares | null;
  /** Committed snapshots never change; their ids tell one from a later one of the same name. */
  readonly #committed = new Map<string, SnapshotRecord>();
  /** Those that were made here, by their directory's name: mostly this process removes them too. */
  readonly #made = new Map<string, SnapshotRecord>();

  private constructor(context: PluginContext, content: readonly SnapshotDirectory[], discard: Discard) {
    this.#directory = context.directory;
    this.#native = context.native;
    this.#trash = new Trash(
      join(context.directory, '.trash'),
      async (path) => {
        await discard(path);
        await context.native.removeTree(path, null);
      },
      (message, cause) => context.warn(message, cause),
    );
    this.#spares =
      content.length === 0
        ? null
        : new Spares({
            directory: join(context.directory, '.spare'),
            make: (target) => makeActive(target, content),
            staging: () => this.#staging(randomHex(12)),
            trash: this.#trash,
            warn: (error) => context.warn('Directories for further snapshots could not be made ahead.', error),
          });
  }

  /**
   * Makes the store's directories, and clears what killed processes left.
   *
   * @param content - what the directory of every active snapshot begins with; it is then made ahead of need.
   * @param discard - gives back what a snapshot has besides its files, which are removed then. Also of one that a crash has
   * left half made, and again when it failed.
   */
  static open(
    context: PluginContext,
    content: readonly SnapshotDirectory[] = [],
    discard: Discard = () => Promise.resolve(),
  ): SnapshotStore {
    const store = new SnapshotStore(context, content, discard);
    mkdirSync(join(context.directory, stagingName), { recursive: true, mode: 0o700 });
    context.native.spreadDirectories(join(context.directory, stagingName));
    store.#trash.open(forgetParent);
    store.#takeAbandoned();
    store.#spares?.open();
    return store;
  }

  /**
   * Makes a snapshot. `populate` fills its directory, which gets its name only when that has succeeded; it is told
   * the parent and all below it, the highest first.
   *
   * @throws HakoError `HAKO_ERR_SNAPSHOT_EXISTS`, `HAKO_ERR_SNAPSHOT_NOT_FOUND` (the parent)
   */
  async create(
    key: ActiveKey,
    kind: 'active' | 'view',
    parent: CommittedName | null,
    populate: Populate,
  ): Promise<SnapshotRecord> {
    const name = directoryName(key);
    if (this.#exists(name)) throw exists(key);
    const id = randomHex(12);
    const staging = this.#staging(id);
    const createdAt = new Date();
    let chain: readonly SnapshotRecord[] = [];
    try {
      if (kind === 'active' && this.#spares !== null) this.#spares.take(staging);
      else mkdirSync(staging, { mode: 0o700 });
      chain = this.#attach(staging, { id, key, kind, parent, parentId: null, createdAt: createdAt.toISOString() });
      const population = populate(staging, chain);
      if (population !== undefined) await population;
      this.#rename(staging, name, key);
    } catch (error) {
      this.#trash.take(staging);
      if (chain[0] !== undefined) childrenOf(chain[0]).drop(id);
      throw error;
    }
    const made: SnapshotRecord = {
      id,
      name: key,
      kind,
      parent,
      parentId: chain[0]?.id ?? null,
      createdAt,
      directory: join(this.#directory, name),
    };
    if (this.#made.size >= mostMade) this.#made.clear(); // removed by other processes, mostly
    this.#made.set(name, made);
    return made;
  }

  /**
   * Commits an active snapshot, after everything below the store's directory has been written to disk.
   *
   * @param settle - removes from the directory what a committed snapshot does not need.
   * @throws HakoError `HAKO_ERR_SNAPSHOT_EXISTS`, `HAKO_ERR_SNAPSHOT_NOT_FOUND` (also for a view: it cannot be committed)
   */
  async commit(
    name: CommittedName,
    key: ActiveKey,
    settle: (directory: string) => void = () => undefined,
  ): Promise<void> {
    const target = directoryName(name);
    const { directory } = this.#committable(key, name);
    settle(directory);
    await this.#native.syncFilesystem(this.#directory);
    // Of several that commit one key, each to another name, the record must speak for the one that gets it.
    await using _lock = await this.#native.lock(join(this.#directory, commitLock), { wait: true });
    const record = this.#committable(key, name);
    withDirectory(record, (own) => {
      new ChildMarkers(own, record.id).allow();
      const { id, parent, parentId } = record;
      replaceRecord(
        own,
        { id, key, kind: 'active', parent, parentId, createdAt: record.createdAt.toISOString(), committedAs: name },
        (file) => this.#siblingsOf(record)?.renew(id, file),
      );
      syncDirectory(own);
    });
    this.#made.delete(directoryName(key));
    this.#rename(record.directory, target, name);
    if (readId(join(this.#directory, target)) !== record.id) {
      // The key was removed and made anew in this very moment: that one was not to be committed.
      renameSync(join(this.#directory, target), record.directory);
      throw notFound(key);
    }
    syncDirectory(this.#directory);
  }

  /**
   * Removes a snapshot: it is gone when this returns; its files follow in the background.
   *
   * @throws HakoError `HAKO_ERR_SNAPSHOT_HAS_CHILDREN`, `HAKO_ERR_SNAPSHOT_NOT_FOUND`
   */
  remove(name: ActiveKey | CommittedName): void {
    const baseName = directoryName(name);
    const made = this.#made.get(baseName);
    this.#made.delete(baseName);
    if (made !== undefined && this.#take(made)) return;
    const record = this.#readForRemoval(name, baseName);
    const children =
      record === null
        ? ChildMarkers.find(join(this.#directory, baseName))
        : record.kind === 'committed'
          ? childrenOf(record)
          : null;
    if (children !== null && !children.forbid()) {
      throw new HakoError(
        'SNAPSHOT_HAS_CHILDREN',
        `The snapshot '${name}' has others on top of it. Remove those first.`,
      );
    }
    this.#committed.delete(baseName);
    // Of a committed one, whoever forbade children is the remover; another may have finished for us.
    const taken = record === null ? this.#trash.take(join(this.#directory, baseName)) : this.#take(record);
    if (!taken && record?.kind !== 'committed') throw notFound(name);
  }

  /** @returns false when it is not there, or another one is in its place */
  #take(record: SnapshotRecord): boolean {
    const taken = this.#trash.take(record.directory, (path) => readId(path) === record.id);
    if (taken || record.kind === 'committed') this.#siblingsOf(record)?.drop(record.id);
    if (taken && record.kind === 'active') this.#spares?.refill();
    return taken;
  }

  /** The record of a snapshot. @throws HakoError `HAKO_ERR_SNAPSHOT_NOT_FOUND`, `HAKO_ERR_STATE_CORRUPT` */
  get(name: ActiveKey | CommittedName): SnapshotRecord {
    const record = this.#read(directoryName(name));
    if (record === null || record.name !== name) throw notFound(name);
    return record;
  }

  /** The record of one that can be a parent. @throws HakoError `HAKO_ERR_SNAPSHOT_NOT_FOUND` also when it is there but not committed */
  getCommitted(name: CommittedName): SnapshotRecord {
    const cached = this.#committed.get(directoryName(name));
    if (cached !== undefined) return cached;
    const record = this.get(name);
    if (record.kind !== 'committed')
      throw new HakoError(
        'SNAPSHOT_NOT_FOUND',
        `The snapshot '${name}' is not committed, so nothing can be based on it. Commit it first.`,
      );
    this.#committed.set(directoryName(name), record);
    return record;
  }

  /** Where a snapshot of that name lies, if there is one. */
  pathOf(name: ActiveKey | CommittedName): string {
    return join(this.#directory, directoryName(name));
  }

  /** A committed snapshot and all below it, the highest first. */
  chain(name: CommittedName | null): readonly SnapshotRecord[] {
    const records: SnapshotRecord[] = [];
    for (let next = name; next !== null; ) {
      const record = this.getCommitted(next);
      records.push(record);
      next = record.parent;
    }
    return records;
  }

  /** Those that cannot be read are reported as a warning and passed over. */
  *list(warn: PluginContext['warn']): Generator<SnapshotInfo> {
    for (const baseName of readdirSync(this.#directory)) {
      if (baseName.startsWith('.')) continue;
      try {
        const record = this.#read(baseName);
        if (record !== null)
          yield { name: record.name, kind: record.kind, parent: record.parent, createdAt: record.createdAt };
      } catch (error) {
        warn(
          `The snapshot at ${join(this.#directory, baseName)} is left out, because its record cannot be read.`,
          error,
        );
      }
    }
  }

  /** Waits for the files of removed snapshots to be gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#spares?.[Symbol.dispose]();
    await this.#trash[Symbol.asyncDispose]();
  }

  /** Takes away the snapshots in the making whose maker is dead. */
  #takeAbandoned(): void {
    const staging = join(this.#directory, stagingName);
    for (const name of readdirSync(staging)) {
      if (isMakerAlive(name)) continue;
      const path = join(staging, name);
      forgetParent(path);
      this.#trash.take(path);
    }
  }

  #staging(id: string): string {
    return join(this.#directory, stagingName, `${makerPrefix()}${id}`);
  }

  /** null also when its removal has begun and was cut short: it can have no children any more, so it is as good as gone. */
  #read(baseName: string): SnapshotRecord | null {
    const record = readRecord(this.#directory, baseName);
    return record?.kind === 'committed' && !childrenOf(record).allowed() ? null : record;
  }

  /** @returns null when the snapshot is there but its record is unreadable: it can still be removed */
  #readForRemoval(name: ActiveKey | CommittedName, baseName: string): SnapshotRecord | null {
    try {
      const record = this.#read(baseName);
      if (record === null || record.name !== name) {
        this.#finishRemoval(baseName);
        throw notFound(name);
      }
      return record;
    } catch (error) {
      if (error instanceof HakoError && error.code === 'HAKO_ERR_STATE_CORRUPT') return null;
      throw error;
    }
  }

  #exists(baseName: string): boolean {
    if (!existsSync(join(this.#directory, baseName))) return false;
    return !this.#finishRemoval(baseName);
  }

  /** Takes away a committed snapshot whose removal was cut short. */
  #finishRemoval(baseName: string): boolean {
    const record = readRecord(this.#directory, baseName);
    if (record?.kind !== 'committed' || childrenOf(record).allowed()) return false;
    this.#take(record);
    return true;
  }

  #rename(from: string, baseName: string, name: ActiveKey | CommittedName): void {
    try {
      renameSync(from, join(this.#directory, baseName));
    } catch (error) {
      if (hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw exists(name);
      if (hasErrno(error, 'ENOENT'))
        throw new HakoError(
          'SNAPSHOT_NOT_FOUND',
          `The snapshot that was to be '${name}' is gone: another process has removed or committed it.`,
        );
      throw error;
    }
  }

  #siblingsOf({ parent, parentId }: SnapshotRecord): ChildMarkers | null {
    return parent === null || parentId === null
      ? null
      : new ChildMarkers(join(this.#directory, directoryName(parent)), parentId);
  }

  /** Writes a child's record, and marks it with its parent. What is cached of the parent may be of an earlier one of that name. */
  #attach(staging: string, record: StoredSnapshot): readonly SnapshotRecord[] {
    const parent = record.parent as CommittedName | null;
    if (parent === null) {
      writeRecord(staging, record);
      return [];
    }
    for (const attempt of ['cached', 'fresh']) {
      if (attempt === 'fresh') this.#committed.clear();
      const chain = this.chain(parent);
      const file = writeRecord(staging, { ...record, parentId: chain[0]?.id ?? null });
      if (chain[0] !== undefined && childrenOf(chain[0]).add(record.id, file)) return chain;
    }
    throw notFound(parent);
  }

  #committable(key: ActiveKey, name: CommittedName): SnapshotRecord {
    const record = this.get(key);
    if (record.kind !== 'active')
      throw new HakoError(
        'SNAPSHOT_NOT_FOUND',
        `The snapshot '${key}' is ${record.kind === 'view' ? 'a view' : 'committed already'}; only an active one can be committed.`,
      );
    if (directoryName(name) === directoryName(key) || this.#exists(directoryName(name))) throw exists(name);
    return record;
  }
}

function childrenOf(record: SnapshotRecord): ChildMarkers {
  return new ChildMarkers(record.directory, record.id);
}

/** A parent knows its children by links to their records: it is to know at once. */
function forgetParent(path: string): void {
  rmSync(join(path, recordFile), { force: true });
}

function makeActive(target: string, content: readonly SnapshotDirectory[]): void {
  mkdirSync(target, { mode: 0o700 });
  writeFileSync(join(target, recordFile), '', { mode: 0o600 });
  for (const { name, mode } of content) {
    mkdirSync(join(target, name));
    chmodSync(join(target, name), mode); // mkdir(2) heeds the umask
  }
}
