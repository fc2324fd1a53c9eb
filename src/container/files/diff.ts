import { posix } from 'node:path';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { FileOwnership } from '../../contracts/privilege-mode.ts';
import type { ActiveKey, SnapshotChanges } from '../../contracts/storage-driver.ts';
import type { PlacedChanges } from '../../image/host/host-root-changes.ts';
import { plainTree } from '../../native/worker/mounted-tree.ts';
import { type CompareRequest, produced, type Worker } from '../../native/worker.ts';
import type { ContainerRecord } from '../record.ts';

/** What a container has done to a file of its image. @public */
export interface FileChange {
  readonly path: string;
  /** A directory is also `modified` when something in it is added, modified or deleted. */
  readonly kind: 'added' | 'modified' | 'deleted';
}

/** Where storage drivers keep what containers change. */
export interface ChangesSource {
  changesByPlace(key: ActiveKey): Promise<readonly PlacedChanges[]>;
}

const kinds: Readonly<Record<string, FileChange['kind']>> = { A: 'added', C: 'modified', D: 'deleted' };

/** Tells what containers have changed of their images. */
export class Differ {
  readonly #source: ChangesSource;
  readonly #worker: Worker;
  readonly #ownershipOf: (mode: ContainerRecord['mode']) => Promise<FileOwnership>;

  constructor(
    source: ChangesSource,
    worker: Worker,
    ownershipOf: (mode: ContainerRecord['mode']) => Promise<FileOwnership>,
  ) {
    this.#source = source;
    this.#worker = worker;
    this.#ownershipOf = ownershipOf;
  }

  /** In the order of a walk: a directory before what is in it. */
  async diff(record: ContainerRecord, options: OperationOptions): Promise<readonly FileChange[]> {
    const found: FileChange[] = [];
    for (const { at, changes, notes } of await this.#source.changesByPlace(keyOf(record))) {
      const request = await this.#request(record, changes, 'list');
      const list = produced((output) => this.#worker.compare(request, output, options));
      for await (const { kind, path } of records(list)) {
        if (!path.includes('/') && notes.has(path)) continue;
        found.push({ path: posix.join('/', at, path), kind });
      }
    }
    return found.sort((one, other) => compareWalk(one.path, other.path));
  }

  /** The changes as a layer of an image: an uncompressed tar stream. Only of a container that has one place for them. */
  async *layer(record: ContainerRecord, options: OperationOptions): AsyncGenerator<Uint8Array> {
    for (const { changes } of await this.#source.changesByPlace(keyOf(record))) {
      const request = await this.#request(record, changes, 'layer');
      yield* produced((output) => this.#worker.compare(request, output, options));
    }
  }

  async #request(
    record: ContainerRecord,
    { own, parent, marks }: SnapshotChanges,
    output: CompareRequest['output'],
  ): Promise<CompareRequest> {
    const ownership = await this.#ownershipOf(record.mode);
    return {
      own: plainTree(own),
      parent: parent.length === 0 ? null : plainTree(parent),
      marks,
      owners: ownership.kind === 'single',
      output,
      idMappings: ownership.kind === 'same' ? null : ownership.idMappings,
    };
  }
}

function keyOf(record: ContainerRecord): ActiveKey {
  return record.id as string as ActiveKey;
}

/** The lines of a comparison: a letter, a path, NUL. */
async function* records(list: AsyncIterable<Uint8Array>): AsyncGenerator<FileChange> {
  let rest = Buffer.alloc(0);
  for await (const chunk of list) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0, start)) {
      const kind = kinds[rest.toString('latin1', start, start + 1)];
      if (kind !== undefined) yield { kind, path: rest.toString('utf8', start + 1, end) };
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
}

/** By components, so that what is in `a` comes before `a-b`. */
function compareWalk(one: string, other: string): number {
  const [left, right] = [one.replaceAll('/', '\0'), other.replaceAll('/', '\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}
