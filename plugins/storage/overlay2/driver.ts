import { chmodSync, chownSync, existsSync, mkdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNativeError } from 'node:util/types';
import {
  type ActiveKey,
  type CommittedName,
  HakoError,
  type Mount,
  type OperationOptions,
  type PluginContext,
  type PrepareOptions,
  type SnapshotChanges,
  type SnapshotInfo,
  type SnapshotRecord,
  SnapshotStore,
  type SnapshotUsage,
  type StorageDriver,
  type UnpackTarget,
} from 'libhako/plugin';
import { overlayMount } from './mounts.ts';
import { choosesUserXattr, type Overlay2Options } from './options.ts';

/** OVL_MAX_STACK of the kernel. */
const maxLowerLayers = 500;

const movesContent = /^(?:metacopy|redirect_dir)=on$/;

/** There, empty, in a snapshot that has a quota, or was about to get one. */
const quotaFile = 'quota';

const activeDirectories = [
  { name: 'diff', mode: 0o755 },
  { name: 'work', mode: 0o700 },
];

/**
 * A snapshot's directory holds `diff` (its own files), and while it is active `work` (overlayfs's own) and `merged`
 * (where a host mount goes, if anybody asks for one).
 */
export class Overlay2Driver implements StorageDriver {
  readonly capabilities = new Set(['quota'] as const);
  readonly #context: PluginContext;
  readonly #store: SnapshotStore;
  readonly #options: Overlay2Options;
  readonly #userxattr: boolean;

  constructor(context: PluginContext, options: Overlay2Options) {
    this.#context = context;
    this.#store = SnapshotStore.open(context, activeDirectories, (directory) => this.#endLimit(directory));
    this.#options = options;
    this.#userxattr = choosesUserXattr(options);
  }

  async prepare(key: ActiveKey, parent: CommittedName | null, options: PrepareOptions = {}): Promise<readonly Mount[]> {
    options.signal?.throwIfAborted();
    const { quota } = options;
    const record = await this.#store.create(key, 'active', parent, (directory, chain) => {
      checkDepth(chain);
      if (chain[0] !== undefined) copyRootAttributes(join(chain[0].directory, 'diff'), join(directory, 'diff'));
      return quota === undefined ? undefined : this.#limit(directory, quota);
    });
    return this.#mountsOf(record);
  }

  async view(key: ActiveKey, parent: CommittedName, options: OperationOptions = {}): Promise<readonly Mount[]> {
    options.signal?.throwIfAborted();
    const record = await this.#store.create(key, 'view', parent, (_directory, chain) => checkDepth(chain));
    return this.#mountsOf(record);
  }

  async mounts(key: ActiveKey): Promise<readonly Mount[]> {
    return this.#mountsOf(this.#active(key));
  }

  async unpackTarget(key: ActiveKey): Promise<UnpackTarget> {
    return {
      directory: join(this.#active(key).directory, 'diff'),
      whiteouts: this.#userxattr ? 'overlay-userxattr' : 'overlay',
    };
  }

  async changes(key: ActiveKey): Promise<SnapshotChanges> {
    const record = this.#active(key);
    const lower = this.#lowerDirectories(record);
    const parent = lower.length === 0 ? [] : [this.#overlay(lower, null)];
    // With these the upper directory alone does not tell: its files may have their content or their name elsewhere.
    const whole = record.kind === 'view' || this.#options.mountOptions?.some((option) => movesContent.test(option));
    if (whole === true) return { own: this.#mountsOf(record), marks: false, parent };
    return {
      own: [{ type: 'bind', source: join(record.directory, 'diff'), options: ['rbind', 'ro'] }],
      marks: true,
      parent,
    };
  }

  async commit(name: CommittedName, key: ActiveKey, options: OperationOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#store.commit(name, key, (directory) => {
      for (const leftover of ['merged', 'work']) removeIfEmpty(join(directory, leftover));
    });
  }

  async remove(name: ActiveKey | CommittedName): Promise<void> {
    this.#store.remove(name);
  }

  async stat(name: ActiveKey | CommittedName): Promise<SnapshotInfo> {
    const { kind, parent, createdAt } = this.#store.get(name);
    return { name, kind, parent, createdAt };
  }

  async usage(name: ActiveKey | CommittedName, options: OperationOptions = {}): Promise<SnapshotUsage> {
    const { kind, directory } = this.#store.get(name);
    return kind === 'view'
      ? { bytes: 0, inodes: 0 }
      : this.#context.native.usage(join(directory, 'diff'), null, options);
  }

  async *list(): AsyncGenerator<SnapshotInfo> {
    yield* this.#store.list((message, cause) => this.#context.warn(message, cause));
  }

  async describe(key: ActiveKey): Promise<Readonly<Record<string, string>>> {
    const record = this.#active(key);
    const lower = this.#lowerDirectories(record).join(':');
    // Made when somebody is told of it: few want it, and every container would pay for it.
    makeIfAbsent(join(record.directory, 'merged'));
    return {
      ...(lower === '' ? {} : { LowerDir: lower }),
      MergedDir: join(record.directory, 'merged'),
      ...(record.kind === 'view'
        ? {}
        : { UpperDir: join(record.directory, 'diff'), WorkDir: join(record.directory, 'work') }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  /** overlayfs moves files between the two directories, which the kernel refuses across projects. */
  async #limit(directory: string, quota: number): Promise<void> {
    writeFileSync(join(directory, quotaFile), '', { mode: 0o600 });
    await this.#context.native.setQuota([join(directory, 'diff'), join(directory, 'work')], quota);
  }

  async #endLimit(directory: string): Promise<void> {
    if (!existsSync(join(directory, quotaFile))) return;
    try {
      await this.#context.native.endQuota(join(directory, 'diff'));
    } catch (error) {
      // What it was to hold goes all the same.
      this.#context.warn(`The quota of what was at ${directory} could not be taken away.`, error);
    }
  }

  #active(key: ActiveKey): SnapshotRecord {
    const record = this.#store.get(key);
    if (record.kind === 'committed')
      throw new HakoError(
        'SNAPSHOT_NOT_FOUND',
        `The snapshot '${key}' is committed, so it has no mounts of its own. Make a view of it.`,
      );
    return record;
  }

  #mountsOf(record: SnapshotRecord): readonly Mount[] {
    const { kind, directory } = record;
    const upper = kind === 'view' ? null : { diff: join(directory, 'diff'), work: join(directory, 'work') };
    return [this.#overlay(this.#lowerDirectories(record), upper)];
  }

  #overlay(lower: readonly string[], upper: { readonly diff: string; readonly work: string } | null): Mount {
    return overlayMount({
      lower,
      upper,
      userxattr: this.#userxattr,
      mountOptions: this.#options.mountOptions ?? [],
    });
  }

  #lowerDirectories(record: SnapshotRecord): readonly string[] {
    return this.#store.chain(record.parent).map(({ directory }) => join(directory, 'diff'));
  }
}

function checkDepth(chain: readonly SnapshotRecord[]): void {
  if (chain.length > maxLowerLayers) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The image has ${chain.length} layers; overlayfs can stack ${maxLowerLayers}. Rebuild it with fewer, or use the storage driver 'vfs'.`,
    );
  }
}

/** The root of an overlay looks like its uppermost directory, so that one must look like the image's own root. */
function copyRootAttributes(from: string, to: string): void {
  const wanted = statSync(from);
  const made = statSync(to);
  if (wanted.uid !== made.uid || wanted.gid !== made.gid) chownSync(to, wanted.uid, wanted.gid);
  if (wanted.mode !== made.mode) chmodSync(to, wanted.mode & 0o7777);
}

function makeIfAbsent(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    // What was mounted once leaves things in `work`. They do no harm there.
    if (!hasCode(error, 'ENOTEMPTY', 'ENOENT', 'EEXIST')) throw error;
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  // In Jest, what Node itself throws is no `instanceof Error`.
  return isNativeError(error) && 'code' in error && codes.includes(String(error.code));
}
