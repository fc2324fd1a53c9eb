const blockSize = 256 * 1024;

/** What can be read at any place: a FileHandle. */
export interface RandomAccess {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

/** Fewer bytes than asked for only where the file ends. */
export async function readFully(file: RandomAccess, position: number, length: number): Promise<Buffer> {
  const block = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(block, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return block.subarray(0, done);
}

/** The bytes of a file from `start` on, to its end or to the byte `end`. */
export async function* fileBlocks(
  file: RandomAccess,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for (let position = start; position < end; ) {
    const block = await readFully(file, position, Math.min(blockSize, end - position));
    if (block.length === 0) return;
    position += block.length;
    yield block;
  }
}
