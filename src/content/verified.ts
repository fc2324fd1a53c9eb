import { createHash } from 'node:crypto';
import type { Digest } from '../base/digest.ts';
import { HakoError } from '../base/errors.ts';
import type { ExpectedContent } from './content-store.ts';

/**
 * Passes content through and checks it. Too many bytes are noticed at once, a wrong digest or too few at the end.
 * Returns what the content turned out to be.
 *
 * @throws HakoError `HAKO_ERR_BLOB_DIGEST_MISMATCH`, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`
 */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  expected: ExpectedContent,
  what: string,
): AsyncGenerator<Uint8Array, { digest: Digest; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (expected.size !== undefined && size > expected.size)
      throw mismatch(what, `it is longer than its ${expected.size} bytes`);
    if (expected.limit !== undefined && size > expected.limit)
      throw new HakoError('ARCHIVE_LIMIT_EXCEEDED', `The ${what} is larger than the limit of ${expected.limit} bytes.`);
    hash.update(chunk);
    yield chunk;
  }
  if (expected.size !== undefined && size < expected.size)
    throw mismatch(what, `it ends after ${size} of ${expected.size} bytes`);
  const digest = `sha256:${hash.digest('hex')}` as Digest;
  if (expected.digest !== undefined && digest !== expected.digest)
    throw mismatch(what, `it should have the digest ${expected.digest}, but has ${digest}`);
  return { digest, size };
}

function mismatch(what: string, reason: string): HakoError {
  return new HakoError('BLOB_DIGEST_MISMATCH', `The ${what} is damaged: ${reason}. Fetch it again.`);
}
