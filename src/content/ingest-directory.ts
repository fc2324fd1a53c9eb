import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../base/errno.ts';
import { raceSignal } from '../base/signal.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { isMakerAlive, makerPrefix } from '../host/process-identity.ts';

/** Where content lies while it is being written, and may be torn. */
export class IngestDirectory {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.forgetDead();
  }

  /** Removes what killed processes left in it. */
  async forgetDead(): Promise<void> {
    for (const name of await readdir(this.#directory))
      if (!isMakerAlive(name)) await unlink(join(this.#directory, name)).catch(() => undefined);
  }

  /** A name that tells whose it is. */
  newPath(): string {
    return join(this.#directory, `${makerPrefix()}${randomUUID()}`);
  }

  async create(): Promise<TemporaryFile> {
    const path = this.newPath();
    return new TemporaryFile(path, await open(path, 'wx+', 0o600));
  }
}

/** A file that is gone when disposed of, unless it was renamed before. */
export class TemporaryFile implements AsyncDisposable {
  readonly path: string;
  readonly handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** Writes all of `content` and syncs it to disk. */
  async write<Result>(content: AsyncGenerator<Uint8Array, Result>, options: OperationOptions): Promise<Result> {
    try {
      for (;;) {
        options.signal?.throwIfAborted();
        const next = await raceSignal(content.next(), options.signal);
        if (next.done) {
          await this.handle.sync();
          return next.value;
        }
        await this.#append(next.value);
      }
    } finally {
      const ended = content.return(undefined as never);
      // One that stalls must not hold up whoever gives up on it.
      if (options.signal?.aborted) ended.catch(() => undefined);
      else await ended;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    await unlink(this.path).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error;
    });
  }

  async #append(chunk: Uint8Array): Promise<void> {
    for (let written = 0; written < chunk.byteLength; ) {
      written += (await this.handle.write(chunk, written, chunk.byteLength - written, null)).bytesWritten;
    }
  }
}
