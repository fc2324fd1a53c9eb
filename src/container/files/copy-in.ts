import { posix } from 'node:path';
import { HakoError, hasHakoCode } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { Worker } from '../../native/worker.ts';
import type { ContainerRecord } from '../record.ts';
import { containerPathOf, inTree, type WrittenPath } from './container-path.ts';
import type { ContainerTree, ContainerTrees } from './container-trees.ts';
import type { CopyPlace } from './copy-intents.ts';
import { copyLimits } from './copy-limits.ts';
import type { CopyDestination } from './copy-plan.ts';

/** How entries of an archive are put into a container. */
export interface Placing extends OperationOptions {
  /** Keep ids; else all belongs to the container's root. */
  readonly archive: boolean;
  readonly keepKinds: boolean;
  /** What a file is called until it is whole. */
  readonly temporary: string;
}

/** Puts files into containers. */
export class CopyIn {
  readonly #trees: ContainerTrees;
  readonly #worker: Worker;

  constructor(trees: ContainerTrees, worker: Worker) {
    this.#trees = trees;
    this.#worker = worker;
  }

  /** What is at a destination. @throws HakoError `HAKO_ERR_PATH_UNSUPPORTED` */
  async destination(record: ContainerRecord, path: string, options: OperationOptions): Promise<CopyDestination> {
    const written = containerPathOf(path);
    return this.#trees.lend(record, 'container', { ...options, writes: false }, async (root) => {
      const there = await this.#look(root, written.path, false, options);
      if (there === null) return { written, path: written.path, present: null };
      if (there.linkTarget === null) return { written, path: `/${there.resolved}`, present: there };
      const target = await this.#look(root, `/${there.linkTarget}`, true, options);
      return { written, path: `/${there.linkTarget}`, present: target };
    });
  }

  /** A directory that must be there. @throws HakoError `HAKO_ERR_PATH_NOT_FOUND`, `HAKO_ERR_PATH_CONFLICT` */
  async directory(record: ContainerRecord, written: WrittenPath, options: OperationOptions): Promise<string> {
    const there = await this.#trees.lend(record, 'container', { ...options, writes: false }, (root) =>
      this.#look(root, written.path, true, options),
    );
    if (there === null)
      throw new HakoError(
        'PATH_NOT_FOUND',
        `There is no directory '${written.path}' to copy to. Make it first, or copy to another place.`,
        { path: written.path },
      );
    if (!there.isDirectory)
      throw new HakoError('PATH_CONFLICT', `'${written.path}' is no directory, so nothing can be copied into it.`, {
        path: written.path,
      });
    return `/${there.resolved}`;
  }

  /** Unpacks a plain tar stream in a directory of the container. */
  async unpack(
    record: ContainerRecord,
    directory: string,
    archive: AsyncIterable<Uint8Array>,
    { archive: keepsIds, keepKinds, temporary, signal }: Placing,
  ): Promise<void> {
    const options = signal === undefined ? {} : { signal };
    await this.#trees.lend(record, 'container', { ...options, writes: true }, ({ tree, idMappings, ownership }) =>
      this.#worker.unpack(
        {
          tree,
          idMappings,
          at: inTree(posix.normalize(directory)),
          whiteouts: 'none',
          ownership: ownership.kind === 'single' ? 'single' : 'keep',
          // Where the container may make none, a device in an archive is passed over as it is in an image.
          devicesOptional: ownership.kind !== 'same' || process.getuid?.() !== 0,
          sync: false,
          limits: copyLimits,
          keepRoot: true,
          keepKinds,
          temporary,
          ...(keepsIds ? {} : { owner: { uid: 0, gid: 0 } }),
        },
        archive,
        options,
      ),
    );
  }

  /** Removes the files of that name. */
  async sweep(record: ContainerRecord, { directory, below }: CopyPlace, name: string): Promise<void> {
    await this.#trees.lend(record, 'container', { writes: true }, ({ tree, idMappings }) =>
      this.#worker.sweep({ tree, idMappings, directory: inTree(posix.normalize(directory)), name, below }),
    );
  }

  async #look(
    { tree, idMappings }: ContainerTree,
    path: string,
    follow: boolean,
    options: OperationOptions,
  ): Promise<{ isDirectory: boolean; resolved: string; linkTarget: string | null } | null> {
    try {
      const { mode, resolved, linkTarget } = await this.#worker.stat(tree, inTree(path), follow, idMappings, options);
      return { isDirectory: (mode & 0o170000) === 0o040000, resolved, linkTarget };
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_PATH_NOT_FOUND')) return null;
      throw error;
    }
  }
}
