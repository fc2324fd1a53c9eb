import { posix } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { produced, type Worker } from '../../native/worker.ts';
import type { ContainerRecord } from '../record.ts';
import { containerPathOf, inTree, type WrittenPath } from './container-path.ts';
import type { ContainerTrees } from './container-trees.ts';
import { type PathStat, pathStat } from './path-stat.ts';

/** Something in a container, looked at and ready to be packed. */
export interface Source {
  readonly written: WrittenPath;
  readonly stat: PathStat;
  /** Where it is, with every symbolic link resolved; relative to the container's root. */
  readonly resolved: string;
  /** Its entries, the first of them under `name`; a directory's contents alone when that is empty. */
  pack(name: string, options: OperationOptions): AsyncGenerator<Uint8Array>;
}

/** Takes files out of containers. */
export class CopyOut {
  readonly #trees: ContainerTrees;
  readonly #worker: Worker;

  constructor(trees: ContainerTrees, worker: Worker) {
    this.#trees = trees;
    this.#worker = worker;
  }

  /** @throws HakoError `HAKO_ERR_PATH_NOT_FOUND`, `HAKO_ERR_PATH_CONFLICT`, `HAKO_ERR_PATH_UNSUPPORTED` */
  async find(
    record: ContainerRecord,
    path: string,
    { followLink = false, signal }: OperationOptions & { readonly followLink?: boolean | undefined },
  ): Promise<Source> {
    const written = containerPathOf(path);
    const follow = followLink || written.isDirectory;
    const waiting = signal === undefined ? {} : { signal };
    const status = await this.#trees.lend(record, 'container', { ...waiting, writes: false }, ({ tree, idMappings }) =>
      this.#worker.stat(tree, inTree(written.path), follow, idMappings, waiting),
    );
    const stat = pathStat(nameOf(written), status);
    if (written.isDirectory && stat.type !== 'directory')
      throw new HakoError('PATH_CONFLICT', `'${written.path}' is no directory. Write it without a slash at the end.`, {
        path: written.path,
      });
    const pack = (name: string, options: OperationOptions) => this.#pack(record, status.resolved, name, options);
    return { written, stat, resolved: status.resolved, pack };
  }

  #pack(record: ContainerRecord, path: string, name: string, options: OperationOptions): AsyncGenerator<Uint8Array> {
    return produced((output) =>
      this.#trees.lend(record, 'container', { ...options, writes: false }, ({ tree, idMappings, ownership }) =>
        this.#worker.pack(
          { tree, idMappings, path, name, whiteouts: false, owners: ownership.kind === 'single' },
          output,
          options,
        ),
      ),
    );
  }
}

/** What Docker calls it: the last component, `.` for the contents of a directory, `/` for the root. */
function nameOf({ path, isContents }: WrittenPath): string {
  if (isContents) return '.';
  return path === '/' ? '/' : posix.basename(path);
}
