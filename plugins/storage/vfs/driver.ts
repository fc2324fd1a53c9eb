import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ActiveKey,
  type CommittedName,
  HakoError,
  type Mount,
  type OperationOptions,
  type PluginContext,
  type SnapshotChanges,
  type SnapshotInfo,
  type SnapshotRecord,
  SnapshotStore,
  type SnapshotUsage,
  type StorageDriver,
  type UnpackTarget,
} from 'libhako/plugin';

/** A snapshot's directory holds `rootfs`: the whole tree. A view holds nothing: it shows its parent's. */
export class VfsDriver implements StorageDriver {
  readonly capabilities = new Set<never>();
  readonly #context: PluginContext;
  readonly #store: SnapshotStore;

  constructor(context: PluginContext) {
    this.#context = context;
    this.#store = SnapshotStore.open(context);
  }

  async prepare(
    key: ActiveKey,
    parent: CommittedName | null,
    options: OperationOptions = {},
  ): Promise<readonly Mount[]> {
    options.signal?.throwIfAborted();
    const record = await this.#store.create(key, 'active', parent, (directory, [below]) => {
      const tree = treeOf(directory);
      if (below !== undefined) return this.#context.native.copyTree(treeOf(below.directory), tree, null, options);
      mkdirSync(tree, 0o755);
    });
    return this.#mountsOf(record);
  }

  async view(key: ActiveKey, parent: CommittedName, options: OperationOptions = {}): Promise<readonly Mount[]> {
    options.signal?.throwIfAborted();
    return this.#mountsOf(await this.#store.create(key, 'view', parent, () => undefined));
  }

  async mounts(key: ActiveKey): Promise<readonly Mount[]> {
    return this.#mountsOf(this.#active(key));
  }

  async unpackTarget(key: ActiveKey): Promise<UnpackTarget> {
    return { directory: treeOf(this.#active(key).directory), whiteouts: 'apply' };
  }

  async changes(key: ActiveKey): Promise<SnapshotChanges> {
    const { parent } = this.#active(key);
    const tree = parent === null ? null : treeOf(this.#store.getCommitted(parent).directory);
    return {
      own: await this.mounts(key),
      marks: false,
      parent: tree === null ? [] : [{ type: 'bind', source: tree, options: ['rbind', 'ro'] }],
    };
  }

  async commit(name: CommittedName, key: ActiveKey, options: OperationOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#store.commit(name, key);
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
    return kind === 'view' ? { bytes: 0, inodes: 0 } : this.#context.native.usage(treeOf(directory), null, options);
  }

  async *list(): AsyncGenerator<SnapshotInfo> {
    yield* this.#store.list((message, cause) => this.#context.warn(message, cause));
  }

  /** Docker's vfs has nothing to show either. */
  async describe(key: ActiveKey): Promise<Readonly<Record<string, string>>> {
    this.#active(key);
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
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
    const shown = record.kind === 'view' && record.parent !== null ? this.#store.getCommitted(record.parent) : record;
    return [
      { type: 'bind', source: treeOf(shown.directory), options: ['rbind', record.kind === 'view' ? 'ro' : 'rw'] },
    ];
  }
}

function treeOf(directory: string): string {
  return join(directory, 'rootfs');
}
