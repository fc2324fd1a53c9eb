import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { Image } from '../image/image.ts';
import type { ImportOptions } from '../image/image-importer.ts';
import type { ImageService } from '../image/image-service.ts';
import type { ImageSource } from '../image/import-source.ts';

/**
 * The images of a runtime.
 *
 * @public
 */
export class Images {
  readonly #service: ImageService;
  readonly #ownership: () => Promise<FileOwnership>;

  /**
   * @param ownership - of the runtime's default privilege mode: an image is unpacked for it at once; for another mode
   * when the first container of it is made
   * @internal
   */
  constructor(service: ImageService, ownership: () => Promise<FileOwnership>) {
    this.#service = service;
    this.#ownership = ownership;
  }

  /**
   * Takes an image in: every blob is verified, every layer unpacked. Given a path, a directory is an OCI image layout if
   * it has a file `oci-layout`, else a root filesystem; a file is an archive of `docker save` or of a layout. For
   * anything else, say what it is with an {@link ImageSource}.
   *
   * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`,
   * `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`, `HAKO_ERR_INVALID_REFERENCE`; nothing is left behind then.
   */
  async import(source: string | ImageSource, options: ImportOptions = {}): Promise<Image> {
    return this.#service.import(await toSource(source), await this.#ownership(), options);
  }

  /** Takes in every image of a source: all, or none. @throws HakoError as {@link Images.import} does. */
  async importAll(source: string | ImageSource, options: ImportOptions = {}): Promise<readonly Image[]> {
    return this.#service.importAll(await toSource(source), await this.#ownership(), options);
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
  get(name: string): Promise<Image> {
    return this.#service.get(name);
  }

  /** Gives an image a further name, taking it from whatever image has it. @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_INVALID_REFERENCE` */
  tag(name: string, reference: string): Promise<Image> {
    return this.#service.tag(name, reference);
  }

  /**
   * Takes a name from an image; with its last name, or by its id, the image goes, and what only it needed.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_IMAGE_IN_USE` while a container needs it.
   */
  async remove(name: string): Promise<void> {
    await this.#service.remove(name);
  }
}

async function toSource(source: string | ImageSource): Promise<ImageSource> {
  if (typeof source !== 'string') return source;
  const node = await stat(source).catch(() => null);
  if (node?.isDirectory() !== true) return { kind: 'archive', archive: source };
  return existsSync(join(source, 'oci-layout'))
    ? { kind: 'oci-layout', path: source }
    : { kind: 'rootfs', rootfs: source };
}
