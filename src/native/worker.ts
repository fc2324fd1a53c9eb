import { realpath } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, join, relative } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isError } from '../base/errno.ts';
import { HakoError } from '../base/errors.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { PayloadReader } from './protocol/wire.ts';
import { callWorker } from './worker/call.ts';
import { commonDirectory, rebased } from './worker/common-base.ts';
import {
  encodeCompare,
  encodeConnect,
  encodeCopy,
  encodeMountpoints,
  encodePack,
  encodeRemove,
  encodeStat,
  encodeSweep,
  encodeUnpack,
  encodeUsage,
} from './worker/encode.ts';
import { type LaunchWorker, nativeLauncher, type WorkerFiles } from './worker/launch.ts';
import type {
  CompareRequest,
  CopyResult,
  Mountpoint,
  MountsTree,
  NamespaceTree,
  PackRequest,
  PackResult,
  PathStatus,
  SweepRequest,
  Tree,
  TreeUsage,
  UnpackRequest,
  UnpackResult,
} from './worker/requests.ts';

export { OWNER_XATTR } from './worker/constants.ts';
export { defaultLimits } from './worker/encode.ts';
export type { LaunchWorker } from './worker/launch.ts';
export { produced } from './worker/produce.ts';
export type {
  ArchiveLimits,
  CompareRequest,
  CopyResult,
  DirectoryTree,
  Mountpoint,
  MountsTree,
  NamespaceTree,
  OverlayTree,
  PackRequest,
  PackResult,
  PathStatus,
  PlainTree,
  SweepRequest,
  Tree,
  TreeMount,
  TreeUsage,
  UnpackRequest,
  UnpackResult,
} from './worker/requests.ts';

/** Milliseconds in which a worker takes away the file that it is writing when its input ends. */
const clearingUp = 1000;

/** What is needed of a {@link NativeBinding} to feed a worker. */
type Pipes = Pick<NativeBinding, 'pipe' | 'close' | 'socketPair' | 'receiveDescriptor'>;

/**
 * Work on the file trees of images and containers. Each job runs in a process of its own, in the user namespace that
 * owns the files, locked into the tree that it is about: no name and no byte in an archive or a tree can reach
 * anything else. Aborting a job kills its process; what it had made so far stays, and is the caller's to remove.
 */
export class Worker implements Disposable {
  readonly #pipes: Pipes;
  readonly #launch: LaunchWorker;
  readonly #close: () => void;

  /** @param close - lets go of what `launch` needs */
  constructor(pipes: Pipes, launch: LaunchWorker, close: () => void = () => {}) {
    this.#pipes = pipes;
    this.#launch = launch;
    this.#close = close;
  }

  /** @param path - of the program `hako-worker`, which is run from a sealed copy from now on */
  static async open(binding: NativeBinding, path: string): Promise<Worker> {
    const executable = await binding.sealExecutable(path);
    return new Worker(binding, nativeLauncher(binding, executable), () => binding.close(executable));
  }

  /** No job can be started any more. */
  [Symbol.dispose](): void {
    this.#close();
  }

  /**
   * Applies a plain (decompressed) tar archive to a tree. The archive is read to its end, so that a source which
   * checks a digest has seen all of it; a failure of the source comes first.
   *
   * @throws HakoError `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`, or that of a system call
   */
  async unpack(
    request: UnpackRequest,
    archive: Readable | AsyncIterable<Uint8Array>,
    options: OperationOptions = {},
  ): Promise<UnpackResult> {
    const message = encodeUnpack(request);
    options.signal?.throwIfAborted();
    const [readEnd, writeEnd] = this.#pipes.pipe();
    const input = new Socket({ fd: writeEnd, readable: false, writable: true });
    try {
      const worker = await this.#launch({ ...filesOf(request.tree), input: readEnd, output: null }).finally(() =>
        this.#pipes.close(readEnd),
      );
      const [fed, answered] = await Promise.allSettled([
        feed(archive, input, options),
        callWorker(worker, message, options, clearingUp),
      ]);
      options.signal?.throwIfAborted();
      if (fed.status === 'rejected') throw fed.reason;
      if (answered.status === 'rejected') throw answered.reason;
      return readUnpackResult(answered.value);
    } finally {
      input.destroy();
    }
  }

  /** Writes a tree as a tar archive into `output`, which is ended after it: what ends is whole. */
  async pack(request: PackRequest, output: Writable, options: OperationOptions = {}): Promise<PackResult> {
    return this.#produce(request.tree, encodePack(request), output, options);
  }

  /** Writes what a tree changes of its parent into `output`, which is ended after it. */
  async compare(request: CompareRequest, output: Writable, options: OperationOptions = {}): Promise<PackResult> {
    const { own, parent } = request;
    const base = parent === null ? own.base : commonDirectory(own.base, parent.base);
    const message = encodeCompare({
      ...request,
      own: rebased(own, base),
      parent: parent === null ? null : rebased(parent, base),
    });
    return this.#produce({ ...own, base }, message, output, options);
  }

  /** What is at a path of a tree, without `..`; symbolic links on the way are followed inside it. @throws HakoError `HAKO_ERR_PATH_NOT_FOUND` */
  async stat(
    tree: Tree,
    path: string,
    follow: boolean,
    idMappings: IdMappings | null,
    options: OperationOptions = {},
  ): Promise<PathStatus> {
    const answer = await this.#call(tree, encodeStat(tree, path, follow, idMappings), options);
    const [mode, size, seconds, nanoseconds] = [answer.u32(), count(answer), answer.i64(), answer.u32()];
    const [resolved, target] = [answer.str(), answer.str()];
    answer.end();
    return {
      mode,
      size,
      modifiedAt: new Date(Number(seconds) * 1000 + Math.floor(nanoseconds / 1e6)),
      resolved,
      linkTarget: isSymlink(mode) ? target : null,
    };
  }

  /** Makes what is missing of the places that will be mounted over, following the tree's own links inside it. Resolves to how many were made. */
  async makeMountpoints(
    tree: Tree,
    points: readonly Mountpoint[],
    idMappings: IdMappings | null,
    options: OperationOptions = {},
  ): Promise<number> {
    const answer = await this.#call(tree, encodeMountpoints(tree, points, idMappings), options);
    const made = answer.u32();
    answer.end();
    return made;
  }

  /** Resolves to how many files were taken away. */
  async sweep(request: SweepRequest, options: OperationOptions = {}): Promise<number> {
    const answer = await this.#call(request.tree, encodeSweep(request), options);
    const removed = answer.u32();
    answer.end();
    return removed;
  }

  /** What a tree takes of its disk. The path may lead through links of the host's. */
  async usage(path: string, idMappings: IdMappings | null, options: OperationOptions = {}): Promise<TreeUsage> {
    const tree: Tree = { kind: 'directory', base: path, path: '' };
    const answer = await this.#call(tree, encodeUsage(tree, idMappings), options);
    const usage = { bytes: count(answer), inodes: count(answer) };
    answer.end();
    return usage;
  }

  /** Removes a tree, whatever it holds and whoever of `idMappings` owns it. Not there: fine. */
  async removeTree(path: string, idMappings: IdMappings | null, options: OperationOptions = {}): Promise<void> {
    const parent = await existingDirectory(dirname(path));
    if (parent === undefined) return;
    const answer = await this.#call({ base: parent }, encodeRemove(relative(dirname(path), path), idMappings), options);
    answer.end();
  }

  /** Copies a tree with everything that belongs to it. The target must not be there, its parent must. */
  async copyTree(
    from: string,
    to: string,
    idMappings: IdMappings | null,
    options: OperationOptions = {},
  ): Promise<CopyResult> {
    const source = await realpath(from);
    const target = join(await realpath(dirname(to)), relative(dirname(to), to));
    const base = commonDirectory(dirname(source), dirname(target));
    const tree: Tree = { kind: 'directory', base, path: relative(base, source) };
    const answer = await this.#call(tree, encodeCopy(tree, relative(base, target), idMappings), options);
    const result = { entries: count(answer), bytesCopied: count(answer), bytesShared: count(answer) };
    answer.end();
    return result;
  }

  /**
   * Connects to a TCP port of the loopback addresses in a network namespace; of another user than ours, too.
   *
   * @param network - descriptor of the namespace, which stays the caller's
   * @throws HakoError `HAKO_ERR_SYSCALL_FAILED` with errno `ECONNREFUSED` when nothing listens there
   */
  async connect(network: number, port: number, options: OperationOptions = {}): Promise<Socket> {
    options.signal?.throwIfAborted();
    const [ours, theirs] = this.#pipes.socketPair();
    try {
      const files = { base: '/', input: null, output: theirs, namespaces: [network] };
      const worker = await this.#launch(files).finally(() => this.#pipes.close(theirs));
      (await callWorker(worker, encodeConnect(port), options)).end();
      return new Socket({ fd: this.#pipes.receiveDescriptor(ours), readable: true, writable: true });
    } finally {
      this.#pipes.close(ours);
    }
  }

  /** A job that writes a stream: its own counts of entries and bytes. */
  async #produce(
    tree: WorkedOn,
    message: Buffer,
    output: Writable,
    options: OperationOptions,
  ): Promise<{ readonly entries: number; readonly bytes: number }> {
    options.signal?.throwIfAborted();
    const [readEnd, writeEnd] = this.#pipes.pipe();
    const source = new Socket({ fd: readEnd, readable: true, writable: false });
    try {
      const worker = await this.#launch({ ...filesOf(tree), input: null, output: writeEnd }).finally(() =>
        this.#pipes.close(writeEnd),
      );
      // A worker that fails ends the pipe as one does that is done; only its answer tells which it was.
      const [drained, answered] = await Promise.allSettled([
        pipeline(source, output, { end: false }),
        callWorker(worker, message, options),
      ]);
      options.signal?.throwIfAborted();
      if (drained.status === 'rejected') throw drained.reason;
      if (answered.status === 'rejected') throw answered.reason;
      const answer = answered.value;
      const result = { entries: count(answer), bytes: count(answer) };
      answer.end();
      output.end();
      return result;
    } finally {
      source.destroy();
    }
  }

  async #call(tree: WorkedOn, request: Buffer, options: OperationOptions): Promise<PayloadReader> {
    options.signal?.throwIfAborted();
    return callWorker(await this.#launch({ ...filesOf(tree), input: null, output: null }), request, options);
  }
}

/** What a launcher must know of a tree. */
type WorkedOn = { readonly base: string; readonly kind?: 'directory' | 'overlay' } | MountsTree | NamespaceTree;

function filesOf(tree: WorkedOn): Pick<WorkerFiles, 'base' | 'held' | 'namespaces'> {
  // A worker that enters a container has no use for a directory of the host, and closes it.
  if (tree.kind === 'namespace')
    return { base: '/', namespaces: tree.user === null ? [tree.mount] : [tree.mount, tree.user] };
  if (tree.kind === 'mounts' && tree.held !== undefined) return { base: tree.base, held: tree.held };
  return { base: tree.base };
}

/** S_IFLNK of inode(7). */
function isSymlink(mode: number): boolean {
  return (mode & 0o170000) === 0o120000;
}

// A worker that has given up reads no further: its answer says why, a broken pipe does not.
async function feed(
  archive: Readable | AsyncIterable<Uint8Array>,
  input: Socket,
  { signal }: OperationOptions,
): Promise<void> {
  try {
    await pipeline(archive, input, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  }
}

function isBrokenPipe(error: unknown): boolean {
  return isError(error) && 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
}

function readUnpackResult(answer: PayloadReader): UnpackResult {
  const result = {
    entries: count(answer),
    bytesRead: count(answer),
    bytesWritten: count(answer),
    devicesSkipped: count(answer),
    xattrsDropped: count(answer),
    rootOpaque: answer.u8() !== 0,
  };
  answer.end();
  return result;
}

function count(answer: PayloadReader): number {
  const value = answer.u64();
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new HakoError('PROTOCOL_ERROR', `A worker counts ${value}, which cannot be.`);
  return Number(value);
}

async function existingDirectory(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isError(error) && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
