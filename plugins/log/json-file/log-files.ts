import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { fileBlocks } from './file-blocks.ts';
import { decompressFile, type RotatedFile, readGzipHeader } from './gzip-log.ts';
import { RecordDecoder } from './record-decoder.ts';
import { reverseLines } from './reverse-lines.ts';

const maxAttempts = 20;

/** A file of a log, held open: it stays what it is while names move on. */
export class LogFile implements AsyncDisposable {
  readonly handle: FileHandle;
  /** When it was opened, in bytes. */
  readonly size: number;
  readonly compressed: RotatedFile | null;
  /** Nanoseconds since the epoch; of a compressed file: when what it was made of was last written to. */
  readonly writtenAt: bigint;
  readonly name: string;
  readonly #identity: string;
  readonly #inode: bigint;

  private constructor(
    name: string,
    handle: FileHandle,
    status: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint },
    compressed: RotatedFile | null,
  ) {
    this.handle = handle;
    this.size = Number(status.size);
    this.compressed = compressed;
    this.writtenAt = status.mtimeNs;
    this.name = name;
    this.#identity = `${status.dev}:${status.ino}`;
    this.#inode = status.ino;
  }

  /** Null when there is no such file. */
  static async open(name: string, isCompressed: boolean): Promise<LogFile | null> {
    const handle = await ifThere(open(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    if (handle === null) return null;
    try {
      return new LogFile(
        name,
        handle,
        await handle.stat({ bigint: true }),
        isCompressed ? await readGzipHeader(handle) : null,
      );
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  isSameAs(other: LogFile): boolean {
    return this.#identity === other.#identity;
  }

  /**
   * Whether it is the same file, or was made of it by compression. Inodes are used again: the answer is sure only
   * while `other` is open and all files newer than this one have been asked before.
   */
  continues(other: LogFile): boolean {
    return this.isSameAs(other) || (this.compressed !== null && this.compressed.inode === other.#inode);
  }

  async hasItsName(): Promise<boolean> {
    const status = await ifThere(stat(this.name, { bigint: true }));
    return status !== null && `${status.dev}:${status.ino}` === this.#identity;
  }

  /**
   * What is in a plain file from the byte `start` to the byte `end`; the whole text of a compressed one, unless
   * `start` is its end. Fails with an `isDamage` where that cannot be read on.
   */
  async *blocks(start: number, end?: number): AsyncGenerator<Buffer> {
    if (this.compressed === null) yield* fileBlocks(this.handle, start, end);
    else if (start < this.size) yield* decompressFile(this.handle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}

export async function lastRecordTime(handle: FileHandle, size: number): Promise<bigint | null> {
  const decoder = new RecordDecoder();
  for await (const { bytes } of reverseLines(handle, size)) {
    const entry = decoder.decode(bytes, 0, bytes.length);
    if (entry !== null) return entry.time;
  }
  return null;
}

/** What is found of a log. */
export interface FoundFiles {
  /** From the oldest to the newest. */
  readonly files: LogFile[];
  /** The file that the others were to follow is not there any more: what came between may be missing. */
  readonly gap: boolean;
}

/**
 * Opens the files of a log that are newer than `known`, or all of them.
 *
 * Rotation renames them meanwhile, in another process. Names only ever go upwards, so that from the newest to the
 * oldest none is passed over; and what was opened counts only if every name still stands for the same file afterwards.
 */
export async function openNewerFiles(path: string, maxFiles: number, known: LogFile | null): Promise<FoundFiles> {
  for (let attempt = 1; ; attempt++) {
    const found = await openFrom(path, maxFiles, known);
    const settled =
      (await haveTheirNames(found.files)) &&
      (known !== null || found.files.at(-1)?.name === path || (await ifThere(stat(path))) === null);
    if (settled || attempt === maxAttempts) return found;
    await closeAll(found.files);
  }
}

async function openFrom(path: string, maxFiles: number, known: LogFile | null): Promise<FoundFiles> {
  const files: LogFile[] = [];
  try {
    // Between two renames of a rotation there is one hole in the row.
    for (let index = 0, holes = 0; index < maxFiles && holes < 2; index++) {
      const name = index === 0 ? path : `${path}.${index}`;
      const file = (await LogFile.open(name, false)) ?? (index === 0 ? null : await LogFile.open(`${name}.gz`, true));
      if (file === null) {
        if (index === 0 && known !== null) return { files, gap: false };
        holes++;
        continue;
      }
      if (known !== null && file.continues(known)) {
        await file[Symbol.asyncDispose]();
        return { files, gap: false };
      }
      if (files.some((other) => other.isSameAs(file))) await file[Symbol.asyncDispose]();
      else files.unshift(file);
    }
    if (known === null) return { files, gap: false };
    return { files: await writtenSince(known, files), gap: maxFiles > 1 };
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

/**
 * Where the known file is not found any more, what is older than it can be told by the time alone: somebody else may
 * have renamed or compressed files in his own way.
 */
async function writtenSince(known: LogFile, files: readonly LogFile[]): Promise<LogFile[]> {
  const { mtimeNs } = await known.handle.stat({ bigint: true });
  await closeAll(files.filter((file) => file.writtenAt < mtimeNs));
  return files.filter((file) => file.writtenAt >= mtimeNs);
}

async function haveTheirNames(files: readonly LogFile[]): Promise<boolean> {
  for (const file of files) if (!(await file.hasItsName())) return false;
  return true;
}

export async function closeAll(files: readonly LogFile[]): Promise<void> {
  await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
}

/** Null in place of the error that something is not there. */
export async function ifThere<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
