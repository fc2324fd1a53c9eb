import { createHash } from 'node:crypto';
import type { Branded } from './brand.ts';
import { HakoError } from './errors.ts';

/**
 * A content digest, `sha256:` and 64 lower-case hex digits (OCI image spec, descriptor.md, "Digests").
 *
 * @public
 */
export type Digest = Branded<string, 'Digest'>;

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** @throws HakoError `HAKO_ERR_INVALID_DIGEST` unless the text is a sha256 digest in canonical form. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new HakoError(
      'INVALID_DIGEST',
      `'${text.slice(0, 100)}' is not a digest; write sha256: and 64 lower-case hex digits.`,
    );
  }
  return text;
}

export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** The hex part: the name of the blob's file. Safe as a path component, because a Digest was parsed. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
