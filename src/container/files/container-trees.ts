import { fstatSync, statSync } from 'node:fs';
import { Disposer } from '../../base/dispose.ts';
import { HakoError } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { IdMappings } from '../../contracts/isolation.ts';
import type { Mount } from '../../contracts/mount.ts';
import type { NativeBinding } from '../../contracts/native-binding.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { FileOwnership } from '../../contracts/privilege-mode.ts';
import type { ActiveKey, StorageDriver } from '../../contracts/storage-driver.ts';
import { treeMount } from '../../native/worker/mounted-tree.ts';
import type { MountsTree, NamespaceTree, TreeMount } from '../../native/worker.ts';
import { openNamespace } from '../first-process.ts';
import type { ContainerRecord } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import { pauseForStart } from '../start-pause.ts';
import type { StateReader } from '../state-reader.ts';
import { clearVolatileMark, volatileMounts } from '../volatile-mounts.ts';
import type { RestLocks } from './rest-locks.ts';

/** The root of a container for the worker to work in, and whose ids its files have. */
export interface ContainerTree {
  readonly tree: MountsTree | NamespaceTree;
  /** null: a worker has no namespace to make, for there is none or it joins the container's. */
  readonly idMappings: IdMappings | null;
  readonly ownership: FileOwnership;
}

/** `container`: with its mounts, as programs in it see it; `image`: its root filesystem alone. */
export type TreeView = 'container' | 'image';

/** A supervisor whose container has ended is done within two seconds or so. */
const mostLooks = 400;

/** What a tree is lent for. */
export interface Lending extends OperationOptions {
  /** Whether anything will be written in it. */
  readonly writes: boolean;
}

export interface ContainerTreesParts {
  readonly states: StateReader;
  readonly locks: RestLocks;
  readonly storage: StorageDriver;
  readonly native: Pick<NativeBinding, 'open' | 'close'>;
  ownershipOf(mode: ContainerRecord['mode']): Promise<FileOwnership>;
  /** Whether it is shifted to ids that no other container has. */
  hasOwnIds(id: ContainerId): boolean;
}

/** Finds the roots of containers: in their own mount namespace while they run, else put together of what they are mounted from. */
export class ContainerTrees {
  readonly #parts: ContainerTreesParts;

  constructor(parts: ContainerTreesParts) {
    this.#parts = parts;
  }

  /** Lends the tree while `use` runs. A container that is at rest stays so for that long. */
  async lend<T>(
    { id }: ContainerRecord,
    view: TreeView,
    options: Lending,
    use: (tree: ContainerTree) => Promise<T>,
  ): Promise<T> {
    for (let look = 1; ; look++) {
      await using opened = new Disposer();
      // What the caller knows of it may be a while ago: it may run again by now.
      const { record, rest } = opened.use(await this.#parts.locks.settle(id, options));
      const tree = await this.#tree(record, rest, view, options, opened);
      if (tree !== null) return await use(tree);
      if (look === mostLooks)
        throw new HakoError(
          'CONTAINER_BUSY',
          `Container '${record.name}' has ended, and its supervisor does not come to an end. Stop it, and try again.`,
        );
      await pauseForStart(options.signal);
    }
  }

  /** null: it has just ended, which is recorded in a moment. */
  async #tree(
    record: ContainerRecord,
    rest: number | null,
    view: TreeView,
    options: Lending,
    opened: Disposer,
  ): Promise<ContainerTree | null> {
    const ownership = await this.#parts.ownershipOf(record.mode);
    const mounts = await this.#parts.storage.mounts(record.id as string as ActiveKey);
    // Of several mounts that make up a root, those and no others are shown by putting them together anew.
    if (rest === null && (view === 'container' || mounts.length === 1)) {
      const running = this.#namespaces(record, view, opened);
      return running === null ? null : { tree: running, idMappings: null, ownership };
    }
    const binds = view === 'container' ? bindMounts(record, this.#parts.hasOwnIds(record.id)) : [];
    // The places that a first start makes for mounts have to be made in it; one that is lost may not have come to that.
    const mayLackPlaces = record.state.status === 'created' || record.state.status === 'lost';
    const writable = options.writes || (binds.length > 0 && mayLackPlaces);
    if (writable) opened.use(await this.#parts.locks.write(record, options.writes, options));
    const root = (writable ? unmarked(mounts, record) : readable(mounts, record)).map(treeMount);
    const tree = {
      kind: 'mounts',
      base: this.#parts.states.directory(record.id),
      ...(rest === null ? {} : { held: rest }),
      mounts: [...root.map((mount) => sealed(mount, record)), ...binds],
    } as const;
    return { tree, idMappings: ownership.kind === 'same' ? null : ownership.idMappings, ownership };
  }

  /** null: it does not run. */
  #namespaces({ state }: ContainerRecord, view: TreeView, opened: Disposer): NamespaceTree | null {
    if (state.status !== 'running') return null;
    const open = (file: string): number | null => {
      const fd = openNamespace(this.#parts.native, state, file);
      if (fd !== null) opened.defer(() => this.#parts.native.close(fd));
      return fd;
    };
    const [mount, user] = [open('mnt'), open('user')];
    if (mount === null || user === null) return null;
    const shared = fstatSync(user).ino === statSync('/proc/self/ns/user').ino;
    return { kind: 'namespace', mount, user: shared ? null : user, recursive: view === 'container' };
  }
}

/**
 * The same to look at, without what overlayfs needs to write: several may then look at once, and an upper directory that
 * a container is mounted on, or has left a mark of a volatile mount in, is no matter.
 */
function readable(mounts: readonly Mount[], record: ContainerRecord): readonly Mount[] {
  return mounts.map((mount) => {
    const upper = mount.options.find((option) => option.startsWith('upperdir='))?.slice('upperdir='.length);
    if (mount.type !== 'overlay' || upper === undefined) return mount;
    // On the host's own root it lies in what it is laid over, which overlayfs allows of an upper directory alone.
    const around = (option: string) =>
      option.startsWith('lowerdir+=') && isWithin(upper, option.slice('lowerdir+='.length));
    if (mount.options.some(around)) {
      if (optionsOf(record).ephemeral) clearVolatileMark(mount);
      return mount;
    }
    const others = mount.options.filter((option) => !/^(?:upperdir|workdir)=/.test(option));
    return { ...mount, options: [`lowerdir+=${upper}`, ...others] };
  });
}

function isWithin(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

/** An ephemeral container that has run has left a mark by which overlayfs refuses to write there again. */
function unmarked(mounts: readonly Mount[], record: ContainerRecord): readonly Mount[] {
  return optionsOf(record).ephemeral ? volatileMounts(mounts, record.state.status !== 'created') : mounts;
}

function sealed(mount: TreeMount, record: ContainerRecord): TreeMount {
  return optionsOf(record).readonlyRoot ? { ...mount, readonly: true } : mount;
}

/**
 * The caller's, which a start would mount; what is in a tmpfs is gone.
 *
 * @param ownIds - root of the container is nobody on the host, and here it would be root
 */
function bindMounts(record: ContainerRecord, ownIds: boolean): readonly TreeMount[] {
  return optionsOf(record)
    .mounts.flatMap((mount): readonly TreeMount[] =>
      mount.type === 'bind'
        ? [
            {
              kind: 'bind',
              source: mount.source,
              target: mount.target,
              readonly: mount.readonly || ownIds,
              recursive: mount.recursive,
            },
          ]
        : [],
    )
    .sort((one, other) => one.target.split('/').length - other.target.split('/').length);
}
