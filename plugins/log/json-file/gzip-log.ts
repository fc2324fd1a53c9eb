import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw, createGunzip } from 'node:zlib';
import { formatRfc3339, parseRfc3339 } from 'libhako/plugin';
import { z } from 'zod';
import { fileBlocks, readFully } from './file-blocks.ts';

/**
 * What the header of a compressed log says of the file that it was made of. Docker keeps the time; a reader that has
 * that file open still knows by the inode which one it was.
 */
export interface RotatedFile {
  readonly lastTime: bigint | null;
  readonly inode: bigint | null;
}

// RFC 1952: magic, deflate, FEXTRA, no time, no level, unknown system (as Go writes it), then the length of the extra field.
const fixedHeader = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255]);
const flagsAt = 3;
const extraFlag = 4;

const extraSchema = z.object({ lastTime: z.string().optional(), inode: z.string().regex(/^\d+$/).optional() });

function gzipHeader({ lastTime, inode }: RotatedFile): Buffer {
  const extra = Buffer.from(
    JSON.stringify({
      lastTime: lastTime === null ? undefined : formatRfc3339(lastTime, 'short'),
      inode: inode === null ? undefined : String(inode),
    }),
  );
  const length = Buffer.alloc(2);
  length.writeUInt16LE(extra.length);
  return Buffer.concat([fixedHeader, length, extra]);
}

/** What a gzip file's header says; nulls when it is of another origin. */
export async function readGzipHeader(file: FileHandle): Promise<RotatedFile> {
  const unknown: RotatedFile = { lastTime: null, inode: null };
  const start = await readFully(file, 0, fixedHeader.length + 2);
  if (start.length < fixedHeader.length + 2 || ((start[flagsAt] ?? 0) & extraFlag) === 0) return unknown;
  const text = await readFully(file, start.length, start.readUInt16LE(fixedHeader.length));
  const extra = extraSchema.safeParse(parseJson(text.toString('utf8')));
  if (!extra.success) return unknown;
  const { lastTime, inode } = extra.data;
  return {
    lastTime: lastTime === undefined ? null : parseRfc3339(lastTime),
    inode: inode === undefined ? null : BigInt(inode),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Compresses one open file into another. Node's own gzip stream cannot write an extra field. */
export async function compressFile(
  source: FileHandle,
  target: FileHandle,
  origin: RotatedFile,
  signal: AbortSignal,
): Promise<void> {
  let checksum = 0;
  let length = 0;
  await target.write(gzipHeader(origin));
  await pipeline(
    async function* () {
      for await (const block of fileBlocks(source)) {
        checksum = crc32(block, checksum);
        length += block.length;
        yield block;
      }
    },
    createDeflateRaw(),
    async (blocks: AsyncIterable<Buffer>) => {
      for await (const block of blocks) await target.appendFile(block);
    },
    { signal },
  );
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  await target.appendFile(trailer);
}

/** The text of a compressed file; fails with an {@link isDamage} where it is damaged or ends too soon. */
export async function* decompressFile(file: FileHandle): AsyncGenerator<Buffer> {
  const source = Readable.from(fileBlocks(file));
  const text = createGunzip();
  source.on('error', (error) => text.destroy(error));
  try {
    for await (const block of source.pipe(text)) yield block as Buffer;
  } finally {
    source.destroy();
    text.destroy();
  }
}

export function isDamage(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR';
}
