import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { Gate } from '../base/gate.ts';
import { givenName } from '../container/call-options.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { Image } from '../image/image.ts';
import type { ImportOptions } from '../image/image-importer.ts';
import type { ImageService } from '../image/image-service.ts';
import type { ImageSource } from '../image/import-source.ts';
import { parseImageSource, parseImportOptions } from './image-options.ts';

/**
 * The images of a runtime.
 *
 * @public
 */
export class Images {
  readonly #service: ImageService;
  readonly #ownership: () => Promise<FileOwnership>;
  readonly #gate: Gate;

  /**
   * @param ownership - of the runtime's default privilege mode: an image is unpacked for it at once; for another mode
   * when the first container of it is made
   * @param gate - of the runtime
   * @internal
   */
  constructor(service: ImageService, ownership: () => Promise<FileOwnership>, gate: Gate) {
    this.#service = service;
    this.#ownership = ownership;
    this.#gate = gate;
  }

  /**
   * Takes an image in: every blob is verified, every layer unpacked. Given a path, a directory is an OCI image layout if
   * it has a file `oci-layout`, else a root filesystem; a file is an archive of `docker save` or of a layout. For
   * anything else (a tar of a root filesystem, a stream), say what it is with an {@link ImageSource}.
   *
   * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`,
   * `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`, `HAKO_ERR_INVALID_REFERENCE`; nothing is left behind then.
   */
  async import(source: string | ImageSource, options: ImportOptions = {}): Promise<Image> {
    return this.#take(source, options, async (from, checked) =>
      this.#service.import(from, await this.#ownership(), checked),
    );
  }

  /** Takes in every image of a source: all, or none. @throws HakoError as {@link Images.import} does. */
  async importAll(source: string | ImageSource, options: ImportOptions = {}): Promise<readonly Image[]> {
    return this.#take(source, options, async (from, checked) =>
      this.#service.importAll(from, await this.#ownership(), checked),
    );
  }

  /** The newest first. */
  list(): Promise<readonly Image[]> {
    return this.#service.list();
  }

  /**
   * By reference (`nginx`, `docker.io/library/nginx:1.29`), id, or the beginning of an id.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_INVALID_REFERENCE`
   */
  async get(name: string): Promise<Image> {
    return this.#service.get(givenName(name, 'An image'));
  }

  /** Gives an image a further name, taking it from whatever image has it. @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_INVALID_REFERENCE` */
  async tag(name: string, reference: string): Promise<Image> {
    return this.#service.tag(givenName(name, 'An image'), givenName(reference, 'A reference'));
  }

  /**
   * Takes a name from an image; with its last name, or by its id, the image goes, and what only it needed.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_IMAGE_IN_USE` while a container needs it.
   */
  async remove(name: string): Promise<void> {
    await this.#gate.pass(() => this.#service.remove(givenName(name, 'An image')));
  }

  async #take<T>(
    source: string | ImageSource,
    options: ImportOptions,
    take: (source: ImageSource, options: ImportOptions) => Promise<T>,
  ): Promise<T> {
    const checked = parseImportOptions(options);
    const from = await toSource(parseImageSource(source));
    const closing = this.#gate.signal;
    const signal = checked.signal === undefined ? closing : AbortSignal.any([checked.signal, closing]);
    try {
      return await this.#gate.pass(() => take(from, { ...checked, signal }));
    } catch (error) {
      if (typeof source !== 'string' || from.kind !== 'archive' || !isNoImage(error)) throw error;
      throw new HakoError(
        error.code === 'HAKO_ERR_INVALID_IMAGE' ? 'INVALID_IMAGE' : 'INVALID_ARCHIVE',
        `${error.message} If it is a root filesystem and not an image, say so: import({ kind: 'rootfs', rootfs: '${source}' }).`,
        { cause: error, path: source },
      );
    }
  }
}

function isNoImage(error: unknown): error is HakoError {
  return hasHakoCode(error, 'HAKO_ERR_INVALID_IMAGE') || hasHakoCode(error, 'HAKO_ERR_INVALID_ARCHIVE');
}

async function toSource(source: string | ImageSource): Promise<ImageSource> {
  if (typeof source !== 'string') return source;
  const node = await stat(source).catch(() => null);
  if (node?.isDirectory() !== true) return { kind: 'archive', archive: source };
  if (existsSync(join(source, 'oci-layout'))) return { kind: 'oci-layout', path: source };
  if (!existsSync(join(source, 'manifest.json'))) return { kind: 'rootfs', rootfs: source };
  throw new HakoError(
    'INVALID_IMAGE',
    `'${source}' holds a manifest.json: an image as skopeo's dir: or an unpacked \`docker save\` has it, which hako does not read. Make a layout of it with \`skopeo copy dir:${source} oci:DIRECTORY\`; if it is a root filesystem all the same, say so: import({ kind: 'rootfs', rootfs: '${source}' }).`,
    { path: source },
  );
}
