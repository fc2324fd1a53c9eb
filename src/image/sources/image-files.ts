import { HakoError } from '../../base/errors.ts';

/** A file of an image layout or of a saved image, wherever it lies. */
export interface ImageFile {
  /** Bytes. */
  readonly size: number;
  content(): AsyncIterable<Uint8Array>;
}

/** Files by name (`blobs/sha256/<hex>`), from a directory or from an archive. */
export interface ImageFiles extends AsyncDisposable {
  /**
   * @returns null when there is none of that name
   * @throws HakoError `HAKO_ERR_INVALID_IMAGE` when it is there but is no plain file
   */
  find(name: string): Promise<ImageFile | null>;
}

/**
 * Reads a small file whole.
 *
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE` when it is not there, `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` over `limit` bytes.
 */
export async function readSmallFile(files: ImageFiles, name: string, limit: number): Promise<Uint8Array> {
  const file = await files.find(name);
  if (file === null)
    throw new HakoError(
      'INVALID_IMAGE',
      `The image has no file '${name.slice(0, 200)}'. It is incomplete: save or copy it again.`,
    );
  if (file.size > limit)
    throw new HakoError(
      'ARCHIVE_LIMIT_EXCEEDED',
      `The image's file '${name.slice(0, 200)}' has ${file.size} bytes; at most ${limit} are read.`,
    );
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of file.content()) {
    length += chunk.byteLength;
    if (length > limit)
      throw new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `The image's file '${name.slice(0, 200)}' grew over ${limit} bytes while it was read.`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
