import type { IdMappings } from '../contracts/isolation.ts';
import type { Mount } from '../contracts/mount.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { UnpackTarget } from '../contracts/storage-driver.ts';
import { plainTree } from '../native/worker/mounted-tree.ts';
import { produced, type Worker } from '../native/worker.ts';
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
  ): Promise<{ readonly rootOpaque: boolean }> {
    const idMappings = mappingsOf(ownership);
    return this.#worker.unpack(
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
    await this.#worker.makeMountpoints(plainTree(mounts), points, mappingsOf(ownership), options);
  }

  async *pack(directory: string, options: OperationOptions = {}): AsyncGenerator<Uint8Array> {
    const idMappings = await this.#own();
    yield* produced((output) =>
      this.#worker.pack(
        {
          tree: { kind: 'directory', base: directory, path: '' },
          idMappings,
          whiteouts: false,
          owners: false,
          // What another user has put there (root, with debootstrap) is the image's own.
          adopt: idMappings !== null,
        },
        output,
        options,
      ),
    );
  }
}

function mappingsOf(ownership: FileOwnership) {
  return ownership.kind === 'same' ? null : ownership.idMappings;
}
