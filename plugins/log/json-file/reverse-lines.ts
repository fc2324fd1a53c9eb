import { newline } from './bytes.ts';
import { type RandomAccess, readFully } from './file-blocks.ts';
import { maxRecordLength } from './record-stream.ts';

const blockSize = 64 * 1024;

/** A line, without its newline, and where it begins. */
export interface Line {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * The lines of the first `size` bytes of a file, from the last to the first, read in blocks from the end. Lines that
 * are longer than any record are passed over, so that memory stays bounded whatever the file holds.
 */
export async function* reverseLines(file: RandomAccess, size: number): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  let restLength = 0;
  const take = (first: Buffer, offset: number): Line | null => {
    const line =
      restLength > maxRecordLength
        ? null
        : { offset, bytes: rest.length === 0 ? first : Buffer.concat([first, ...rest.toReversed()]) };
    rest = [];
    restLength = 0;
    return line !== null && line.bytes.length > 0 ? line : null;
  };
  for (let start = size; start > 0; ) {
    const length = Math.min(blockSize, start);
    start -= length;
    const block = await readFully(file, start, length);
    let end = block.length;
    for (let at = block.lastIndexOf(newline); at >= 0; at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1)) {
      const line = take(block.subarray(at + 1, end), start + at + 1);
      if (line !== null) yield line;
      end = at;
    }
    restLength += end;
    if (restLength <= maxRecordLength) rest.push(block.subarray(0, end));
    else rest = [];
  }
  const first = take(Buffer.alloc(0), 0);
  if (first !== null) yield first;
}
