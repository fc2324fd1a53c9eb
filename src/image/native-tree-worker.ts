import { posix } from 'node:path';
import { PassThrough } from 'node:stream';
import { HakoError } from '../base/errors.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { Mount } from '../contracts/mount.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { UnpackTarget } from '../contracts/storage-driver.ts';
import type { Tree, Worker } from '../native/worker.ts';
import type { MountPoint, TreeWorker, UnpackLimits } from './tree-worker.ts';

/** {@link TreeWorker} by hako-worker. */
export class NativeTreeWorker implements TreeWorker {
  readonly #worker: Worker;
  readonly #own: () => Promise<IdMappings | null>;

  /** @param own - the ids that this user may map, for an ordinary user; null for root */
  constructor(worker: Worker, own: () => Promise<IdMappings | null>) {
    this.#worker = worker;
    this.#own = own;
  }

  async unpack(
    target: UnpackTarget,
    tar: AsyncIterable<Uint8Array>,
    ownership: FileOwnership,
    limits: UnpackLimits,
    options: OperationOptions = {},
  ): Promise<void> {
    const idMappings = mappingsOf(ownership);
    await this.#worker.unpack(
      {
        tree: { kind: 'directory', base: target.directory, path: '' },
        idMappings,
        whiteouts: target.whiteouts,
        ownership: ownership.kind === 'single' ? 'single' : 'keep',
        // In a user namespace mknod(2) is refused, and /dev is the engine's in any case.
        devicesOptional: idMappings !== null || process.getuid?.() !== 0,
        sync: false, // the storage driver's commit does it, once
        limits,
      },
      tar,
      options,
    );
  }

  async makeMountPoints(
    mounts: readonly Mount[],
    points: readonly MountPoint[],
    ownership: FileOwnership,
    options: OperationOptions = {},
  ): Promise<void> {
    await this.#worker.makeMountpoints(treeOf(mounts), points, mappingsOf(ownership), options);
  }

  async *pack(directory: string, options: OperationOptions = {}): AsyncGenerator<Uint8Array> {
    const idMappings = await this.#own();
    const stream = new PassThrough({ highWaterMark: 1 << 20 });
    const packing = this.#worker
      .pack(
        {
          tree: { kind: 'directory', base: directory, path: '' },
          idMappings,
          whiteouts: false,
          owners: false,
          // What another user has put there (root, with debootstrap) is the image's own.
          adopt: idMappings !== null,
        },
        stream,
        options,
      )
      .catch((error: unknown) => void stream.destroy(error as Error));
    try {
      yield* stream;
    } finally {
      stream.destroy();
      await packing;
    }
  }
}

function mappingsOf(ownership: FileOwnership) {
  return ownership.kind === 'same' ? null : ownership.idMappings;
}

/** The tree that a storage driver's mounts show, as the worker takes it: by paths below one directory. */
export function treeOf(mounts: readonly Mount[]): Tree {
  const [root] = mounts;
  if (root === undefined || mounts.length > 1)
    throw new HakoError(
      'PLUGIN_UNSUPPORTED',
      'Images can be unpacked on a single mount only; this storage driver returned several.',
    );
  if (root.type === 'bind') return { kind: 'directory', base: root.source, path: '' };
  if (root.type !== 'overlay')
    throw new HakoError(
      'PLUGIN_UNSUPPORTED',
      `Images can be unpacked on overlay and bind mounts; this storage driver returned one of type '${root.type}'.`,
    );
  const values = (key: string): string[] =>
    root.options.filter((option) => option.startsWith(`${key}=`)).map((option) => option.slice(key.length + 1));
  const lower = values('lowerdir+');
  const [[upper], [work]] = [values('upperdir'), values('workdir')];
  const base = commonDirectory([...lower, ...(upper === undefined ? [] : [upper])]);
  const below = (path: string): string => posix.relative(base, path);
  return {
    kind: 'overlay',
    base,
    lower: lower.map(below),
    upper: upper === undefined || work === undefined ? null : { path: below(upper), work: below(work) },
    userxattr: root.options.includes('userxattr'),
  };
}

function commonDirectory(paths: readonly string[]): string {
  let common = posix.dirname(paths[0] ?? '/');
  while (common !== '/' && !paths.every((path) => path.startsWith(`${common}/`))) common = posix.dirname(common);
  return common;
}
