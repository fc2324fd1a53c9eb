import { PassThrough, type Writable } from 'node:stream';

/**
 * What a job writes, as it comes: the job is held up while nobody reads, and ends when the reader does. A failure of it
 * is thrown after what was written before.
 */
export async function* produced(job: (output: Writable) => Promise<unknown>): AsyncGenerator<Uint8Array> {
  const stream = new PassThrough({ highWaterMark: 1 << 20 });
  const done = job(stream).catch((error: unknown) => void stream.destroy(error as Error));
  try {
    yield* stream;
  } finally {
    stream.destroy();
    await done;
  }
}
