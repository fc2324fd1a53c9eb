import { z } from 'zod';
import { type Digest, isDigest } from '../base/digest.ts';

/** The biggest JSON document of an image that is read into memory, in bytes. Registries refuse larger manifests too. */
export const maxDocumentBytes = 4 * 1024 * 1024;

/** More layers than any builder makes (Docker's own limit is 127), fewer than overlayfs can stack (500). */
export const maxLayers = 256;

const maxListEntries = 4096;
const maxStringLength = 131_072; // MAX_ARG_STRLEN of execve(2): a longer one could not be passed on.

export const text = z.string().max(maxStringLength);

/** Text that will be given to a system call, where a NUL byte would silently cut it short. */
export const textWithoutNul = text.refine((value) => !value.includes('\0'), 'must not hold a NUL byte');

export const digest = z
  .string()
  .max(200)
  .refine(isDigest, 'must be sha256: and 64 lower-case hex digits') as unknown as z.ZodType<Digest, string>;

/** A number of bytes: never negative, never beyond what a JavaScript number holds exactly. */
export const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const mediaType = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/,
    'must be a media type (RFC 6838)',
  );

/** Go writes a nil slice or map as `null`, so images in the wild have `null` where the specification has an absent field. */
export const nullAsAbsent = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === null ? undefined : value), schema.optional());

export const listOf = <T extends z.ZodType>(entry: T, limit = maxListEntries) => z.array(entry).max(limit);

/** A JSON object with free keys. `__proto__` is dropped: as a key it could only be an attack. */
export const mapOf = <T extends z.ZodType>(value: T) =>
  z
    .record(z.string().max(4096), value)
    .refine((map) => Object.keys(map).length <= maxListEntries, `must not have more than ${maxListEntries} keys`);

export const annotations = nullAsAbsent(mapOf(text));
