import { constants, readdirSync, renameSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, injectable } from 'tsyringe';
import { type Digest, digestHex, isDigest } from '../base/digest.ts';
import { hasErrno } from '../base/errno.ts';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { RuntimePathsToken } from '../contracts/tokens.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { IngestDirectory, type TemporaryFile } from './ingest-directory.ts';
import type { Lease } from './lease.ts';
import { blobResource } from './lease-repository.ts';
import { verified } from './verified.ts';

/** What is known of content before it is read. Whatever is given must turn out to be true. */
export interface ExpectedContent {
  readonly digest?: Digest;
  /** Bytes. */
  readonly size?: number;
  /** Bytes; more is an attack or a mistake. */
  readonly limit?: number;
}

export interface StoredContent {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Blobs by digest, at `<root>/content/blobs/sha256/<hex>`. A blob under its name is whole, has the digest that it is
 * named for, and is on disk; that holds over `kill -9` and power loss at any point, because content is written
 * under another name, verified and synced before it gets its own. Any number of processes may use one root.
 */
@injectable()
export class ContentStore {
  readonly #blobs: string;
  readonly #ingest: IngestDirectory;

  constructor(@inject(RuntimePathsToken) paths: { readonly content: string }) {
    this.#blobs = join(paths.content, 'blobs', 'sha256');
    this.#ingest = new IngestDirectory(join(paths.content, 'ingest'));
  }

  /** Makes the directories, and clears what killed processes left. */
  async open(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    await this.#ingest.open();
  }

  /** Removes what processes that were killed had half written. */
  forgetDead(): Promise<void> {
    return this.#ingest.forgetDead();
  }

  /**
   * Stores content and holds it by `lease`. When `expected.digest` is there already, in full, `content` is not read at all.
   * Success means that the content is stored; perhaps another process did it.
   *
   * @throws HakoError `HAKO_ERR_BLOB_DIGEST_MISMATCH` when digest or size is not as expected;
   * `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` over `expected.limit`. Nothing is left then.
   */
  async ingest(
    content: AsyncIterable<Uint8Array>,
    expected: ExpectedContent,
    lease: Lease,
    options: OperationOptions = {},
  ): Promise<StoredContent> {
    if (expected.digest !== undefined) {
      await lease.hold(blobResource(expected.digest), options);
      const size = await this.size(expected.digest);
      if (size !== null && size === (expected.size ?? size)) return { digest: expected.digest, size };
    }
    await using temporary = await this.#ingest.create();
    const result = await temporary.write(verified(content, expected, 'content'), options);
    if (expected.digest === undefined) await lease.hold(blobResource(result.digest), options);
    await rename(temporary.path, this.#path(result.digest));
    await syncDirectory(this.#blobs);
    return result;
  }

  /** Bytes of a blob; null when it is not there. */
  async size(digest: Digest): Promise<number | null> {
    try {
      return (await stat(this.#path(digest))).size;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return null;
      throw error;
    }
  }

  /**
   * Reads a blob, verifying it on the way: the last chunk is followed by an error when the whole was not as its
   * descriptor says. So whoever acts on the content must not commit before the end. A blob that is found to be damaged
   * is removed, so that it is fetched anew by the next import.
   *
   * @throws HakoError `HAKO_ERR_BLOB_NOT_FOUND`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`
   */
  async *read({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): AsyncGenerator<Uint8Array> {
    const handle = await this.#open(digest);
    let actual: StoredContent;
    try {
      // The stream closes the handle, at its end and when the reader stops early.
      actual = yield* verified(handle.createReadStream({ highWaterMark: 1 << 20 }), { digest }, `blob ${digest}`);
    } catch (error) {
      if (hasHakoCode(error, 'HAKO_ERR_BLOB_DIGEST_MISMATCH')) await this.detach([digest]).finish();
      throw error;
    }
    // The descriptor may be wrong about a sound blob, which others may need.
    if (actual.size !== size)
      throw new HakoError(
        'BLOB_DIGEST_MISMATCH',
        `Blob ${digest} has ${actual.size} bytes, but is described with ${size}. The image was made wrongly.`,
      );
  }

  /** @throws HakoError as {@link read} does, and `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` over `limit` bytes. */
  async readAll(descriptor: Pick<Descriptor, 'digest' | 'size'>, limit: number): Promise<Uint8Array> {
    if (descriptor.size > limit)
      throw new HakoError(
        'ARCHIVE_LIMIT_EXCEEDED',
        `Blob ${descriptor.digest} has ${descriptor.size} bytes; at most ${limit} are read into memory.`,
      );
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.read(descriptor)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** What is there now. Synchronous, to be called inside a transaction. */
  digests(): readonly Digest[] {
    return readdirSync(this.#blobs)
      .map((name) => `sha256:${name}`)
      .filter(isDigest);
  }

  /** A file for content that has yet to be looked at (an archive that comes as a stream); gone when disposed of. */
  async temporary(): Promise<TemporaryFile> {
    return this.#ingest.create();
  }

  /**
   * Takes blobs away, at once and without waiting for the disk: to be called inside a transaction that excludes
   * leases. Returns what remains to be done outside of it.
   */
  detach(digests: readonly Digest[]): { finish(): Promise<void> } {
    const doomed: string[] = [];
    for (const digest of digests) {
      const path = this.#ingest.newPath();
      try {
        renameSync(this.#path(digest), path);
        doomed.push(path);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error;
      }
    }
    return { finish: async () => void (await Promise.all(doomed.map((path) => unlink(path)))) };
  }

  async #open(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.#path(digest), constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (cause) {
      if (!hasErrno(cause, 'ENOENT')) throw cause;
      throw new HakoError(
        'BLOB_NOT_FOUND',
        `Blob ${digest} is not in the content store. Import or pull the image again.`,
        { cause },
      );
    }
  }

  #path(digest: Digest): string {
    return join(this.#blobs, digestHex(digest));
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await handle.sync();
}
