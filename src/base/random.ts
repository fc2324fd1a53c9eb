import { randomFillSync } from 'node:crypto';

/** A call into the generator costs tens of microseconds, whatever it is asked for; a start needs half a dozen names. */
const pool = Buffer.alloc(4096);
let at = pool.length;

/** Unpredictable bytes as lower-case hex digits, two for each; at most 4,096 bytes. */
export function randomHex(bytes: number): string {
  if (at + bytes > pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  const text = pool.toString('hex', at, at + bytes);
  // Given out once.
  pool.fill(0, at, at + bytes);
  at += bytes;
  return text;
}
