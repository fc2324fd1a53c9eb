import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { HakoError } from '../../base/errors.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { type DecompressionLimits, decompress, detectCompression } from '../../content/decompress.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { defaultTarLimits, listTarMembers, type TarFile, type TarLink } from '../archive/tar-members.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { openPath } from './open-path.ts';

const maxLinks = 8;

/** Files of a tar archive. It is read where it lies; only one that is compressed or comes as a stream is put to disk first. */
export class ArchiveFiles implements ImageFiles {
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, TarFile | TarLink>;
  readonly #close: () => Promise<void>;

  private constructor(file: FileHandle, members: ReadonlyMap<string, TarFile | TarLink>, close: () => Promise<void>) {
    this.#file = file;
    this.#members = members;
    this.#close = close;
  }

  /** @throws HakoError `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` */
  static async open(
    source: string | AsyncIterable<Uint8Array>,
    store: ContentStore,
    limits: DecompressionLimits,
    options: OperationOptions,
  ): Promise<ArchiveFiles> {
    const { file, close } = await openPlain(source, store, limits, options);
    try {
      return new ArchiveFiles(file, await listTarMembers(file, defaultTarLimits, options), close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  async find(name: string): Promise<ImageFile | null> {
    let member = this.#members.get(name);
    for (let hops = 0; member?.kind === 'link'; hops++) {
      if (hops === maxLinks)
        throw new HakoError(
          'INVALID_IMAGE',
          `The archive's member '${name.slice(0, 200)}' is a link that leads nowhere.`,
        );
      member = this.#members.get(member.target);
    }
    if (member === undefined) return null;
    const { offset, size } = member;
    return { size, content: () => this.#read(offset, size) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async *#read(offset: number, size: number): AsyncGenerator<Uint8Array> {
    const end = offset + size;
    for (let at = offset; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(1 << 20, end - at));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new HakoError('INVALID_ARCHIVE', 'The archive was cut short while it was read.');
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}

async function openPlain(
  source: string | AsyncIterable<Uint8Array>,
  store: ContentStore,
  limits: DecompressionLimits,
  options: OperationOptions,
): Promise<{ file: FileHandle; close: () => Promise<void> }> {
  if (typeof source !== 'string') return spool(source, store, limits, options);
  const file = await openArchiveFile(source);
  const start = Buffer.alloc(4);
  await file.read(start, 0, 4, 0);
  if (detectCompression(start) === 'none') return { file, close: () => file.close() };
  return spool(file.createReadStream({ start: 0, highWaterMark: 1 << 20 }), store, limits, options);
}

/** @throws HakoError `HAKO_ERR_INVALID_ARCHIVE` when it is no plain file. */
export async function openArchiveFile(path: string): Promise<FileHandle> {
  const file = await openPath(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new HakoError('INVALID_ARCHIVE', `'${path}' is not a file. Give a stream to import from a pipe.`, { path });
}

async function spool(
  content: AsyncIterable<Uint8Array>,
  store: ContentStore,
  limits: DecompressionLimits,
  options: OperationOptions,
): Promise<{ file: FileHandle; close: () => Promise<void> }> {
  const temporary = await store.temporary();
  const close = async (): Promise<void> => temporary[Symbol.asyncDispose]();
  try {
    await temporary.write(decompressAny(content, limits, options), options);
    return { file: temporary.handle, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Unwraps a stream whatever its form, which its first bytes tell. */
export async function* decompressAny(
  content: AsyncIterable<Uint8Array>,
  limits: DecompressionLimits,
  options: OperationOptions,
): AsyncGenerator<Uint8Array, void> {
  const iterator = content[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  for (let length = 0; length < 4; ) {
    const next = await iterator.next();
    if (next.done === true) break;
    held.push(next.value);
    length += next.value.byteLength;
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* held;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  yield* decompress(whole(), detectCompression(Buffer.concat(held).subarray(0, 4)), limits, options);
}
