import { open } from 'node:fs/promises';

/** How many newlines a file holds, whatever its size. */
export async function countLines(path: string): Promise<number> {
  await using file = await open(path);
  const buffer = Buffer.alloc(1 << 20);
  let lines = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) return lines;
    for (let at = buffer.indexOf(10); at !== -1 && at < bytesRead; at = buffer.indexOf(10, at + 1)) lines++;
  }
}
