import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { HakoError } from '../../base/errors.ts';
import type { Gate } from '../../base/gate.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { Image } from '../../image/image.ts';
import { produced, type Worker } from '../../native/worker.ts';
import { presentRecord } from '../present-record.ts';
import type { ContainerRecord } from '../record.ts';
import type { ContainerRepository } from '../repository.ts';
import { type CommitOptions, type Committer, givenCommit } from './commit.ts';
import { containerPathOf } from './container-path.ts';
import type { ContainerTrees } from './container-trees.ts';
import type { CopyIn } from './copy-in.ts';
import { type CopyKeeper, placesOf } from './copy-keeper.ts';
import { type CopyInOptions, type CopyOutOptions, type CopyOutToHostOptions, givenFiles } from './copy-options.ts';
import type { CopyOut, Source } from './copy-out.ts';
import { planCopy } from './copy-plan.ts';
import type { Differ, FileChange } from './diff.ts';
import type { Holder } from './holder.ts';
import type { HostFiles } from './host-files.ts';
import { type MemoryFiles, memoryArchive } from './memory-archive.ts';
import { type PathStat, pathStatHeader } from './path-stat.ts';

/** What is taken out of a container. @public */
export interface ContainerArchive {
  readonly stat: PathStat;
  /** The same as Docker's API sends it in `X-Docker-Container-Path-Stat`. */
  readonly header: string;
  /**
   * A tar archive, whose first entry is named after the path, or `./` for the contents of a directory. It is made as it
   * is read; destroying it ends that.
   */
  readonly stream: Readable;
}

/**
 * What is put into a container: a path of the host; a tar stream, plain or in gzip or zstd; or files in memory.
 *
 * @public
 */
export type CopySourceChoice = string | AsyncIterable<Uint8Array> | { readonly files: MemoryFiles };

export interface FileOperationsParts {
  readonly repository: ContainerRepository;
  readonly trees: ContainerTrees;
  readonly worker: Worker;
  readonly copyOut: CopyOut;
  readonly copyIn: CopyIn;
  readonly host: HostFiles;
  readonly differ: Differ;
  readonly holder: Holder;
  readonly committer: Committer;
  readonly keeper: CopyKeeper;
  /** Unwraps an archive that comes as a stream. */
  readonly unwrap: (archive: AsyncIterable<Uint8Array>, options: OperationOptions) => AsyncIterable<Uint8Array>;
  /** Of the runtime. */
  readonly gate: Gate;
}

/** What can be done with the files of containers. */
export class FileOperations {
  readonly #parts: FileOperationsParts;

  constructor(parts: FileOperationsParts) {
    this.#parts = parts;
  }

  async diff(id: ContainerId, given: OperationOptions): Promise<readonly FileChange[]> {
    const record = this.#record(id);
    const options = this.#while(givenFiles.waiting(given, 'diff'));
    return this.#parts.gate.pass(() =>
      this.#parts.holder.whileStill(record, { ...options, pause: 'no' }, () =>
        this.#parts.differ.diff(record, options),
      ),
    );
  }

  async stat(id: ContainerId, path: string, given: CopyOutOptions): Promise<PathStat> {
    const record = this.#record(id);
    const options = this.#while(givenFiles.copyOut(given));
    const { stat } = await this.#parts.gate.pass(() => this.#parts.copyOut.find(record, path, options));
    return stat;
  }

  async archive(id: ContainerId, path: string, given: CopyOutOptions): Promise<ContainerArchive> {
    const record = this.#record(id);
    const options = this.#while(givenFiles.copyOut(given));
    const source = await this.#parts.gate.pass(() => this.#parts.copyOut.find(record, path, options));
    return {
      stat: source.stat,
      header: pathStatHeader(source.stat),
      stream: this.#stream(source.pack(source.written.isContents ? '.' : nameOf(source), options), options),
    };
  }

  async copyToHost(id: ContainerId, path: string, hostPath: string, given: CopyOutToHostOptions): Promise<void> {
    const record = this.#record(id);
    const options = this.#while(givenFiles.copyOutToHost(given));
    await this.#parts.gate.pass(async () => {
      const { copyOut, host } = this.#parts;
      const source = await copyOut.find(record, path, options);
      const isDirectory = source.stat.type === 'directory';
      const plan = planCopy({ written: source.written, isDirectory }, await host.destination(hostPath));
      await this.#parts.keeper.during(null, placesOf(plan), options, (temporary) =>
        host.unpack(plan.directory, source.pack(plan.name, options), temporary, options),
      );
    });
  }

  async copyIn(id: ContainerId, source: CopySourceChoice, path: string, given: CopyInOptions): Promise<void> {
    const record = this.#record(id);
    const options = this.#while(givenFiles.copyIn(given));
    await this.#parts.gate.pass(() =>
      typeof source === 'string'
        ? this.#copyFromHost(record, source, path, options)
        : this.#copyArchive(record, this.#entries(source, options), path, options),
    );
  }

  /** The root filesystem, without what is mounted in it. */
  export(id: ContainerId, given: OperationOptions): Readable {
    const record = this.#record(id);
    const options = this.#while(givenFiles.waiting(given, 'export'));
    const { trees, worker } = this.#parts;
    const archive = produced((output) =>
      trees.lend(record, 'image', { ...options, writes: false }, ({ tree, idMappings, ownership }) =>
        worker.pack({ tree, idMappings, whiteouts: false, owners: ownership.kind === 'single' }, output, options),
      ),
    );
    return this.#stream(archive, options);
  }

  async commit(id: ContainerId, given: CommitOptions): Promise<Image> {
    const record = this.#record(id);
    const options = this.#while(givenCommit(given));
    return this.#parts.gate.pass(() => this.#parts.committer.commit(record, options));
  }

  /** Puts right what a process that is no more has left of its work on a container's files. */
  async release(record: ContainerRecord): Promise<void> {
    await this.#parts.holder.release(record);
  }

  /** The same for copies, whose containers need not run. */
  async clearLeftCopies(): Promise<void> {
    await this.#parts.keeper.clearLeft();
  }

  async #copyFromHost(record: ContainerRecord, from: string, to: string, options: CopyInOptions): Promise<void> {
    const { copyIn, host } = this.#parts;
    const source = await host.source(from, options.followLink ?? false);
    const plan = planCopy(source, await copyIn.destination(record, to, options));
    const directory = await copyIn.directory(record, containerPathOf(plan.directory), options);
    await this.#parts.keeper.during(record, placesOf({ ...plan, directory }), options, (temporary) =>
      copyIn.unpack(record, directory, host.pack(source.path, plan.name, options), {
        ...placing(options, false),
        temporary,
      }),
    );
  }

  async #copyArchive(
    record: ContainerRecord,
    entries: AsyncIterable<Uint8Array>,
    to: string,
    options: CopyInOptions,
  ): Promise<void> {
    const { copyIn } = this.#parts;
    const directory = await copyIn.directory(record, containerPathOf(to), options);
    // An archive may lead through symbolic links of the container to anywhere in it.
    await this.#parts.keeper.during(record, [{ directory: '/', below: true }], options, (temporary) =>
      copyIn.unpack(record, directory, entries, { ...placing(options, true), temporary }),
    );
  }

  #record(id: ContainerId): ContainerRecord {
    return presentRecord(this.#parts.repository, id);
  }

  #entries(source: Exclude<CopySourceChoice, string>, options: OperationOptions): AsyncIterable<Uint8Array> {
    if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source)
      return this.#parts.unwrap(source, options);
    if (typeof source === 'object' && source !== null && 'files' in source)
      return Readable.from(memoryArchive(source.files));
    throw new HakoError(
      'INVALID_OPTION',
      "What is copied is a path of the host, a tar stream, or { files: { 'name': 'content' } }.",
    );
  }

  /** Ends with the runtime, and by the signal, also when nobody reads it. */
  #stream(content: AsyncGenerator<Uint8Array>, { signal }: OperationOptions): Readable {
    const stream = Readable.from(content, { objectMode: false, highWaterMark: 1 << 16 });
    const abort = () => void stream.destroy(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const ended = finished(stream).finally(() => signal?.removeEventListener('abort', abort));
    this.#parts.gate.pass(() => ended).catch(() => {});
    return stream;
  }

  #while<Options extends OperationOptions>(options: Options): Options {
    const closing = this.#parts.gate.signal;
    const signal = options.signal === undefined ? closing : AbortSignal.any([options.signal, closing]);
    return { ...options, signal };
  }
}

function placing({ archive, noOverwriteDirNonDir = true, signal }: CopyInOptions, keepsByDefault: boolean) {
  return {
    archive: archive ?? keepsByDefault,
    keepKinds: noOverwriteDirNonDir,
    ...(signal === undefined ? {} : { signal }),
  };
}

/** An archive's entries are named as the path is written, wherever a symbolic link has led. */
function nameOf({ written }: Source): string {
  return written.path === '/' ? '' : posix.basename(written.path);
}
