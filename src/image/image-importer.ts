import { inject, injectable } from 'tsyringe';
import { HakoError } from '../base/errors.ts';
import { ContentStore } from '../content/content-store.ts';
import { type DecompressionLimits, defaultDecompressionLimits } from '../content/decompress.ts';
import type { Lease } from '../content/lease.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { HostInfoToken, TreeWorkerToken } from '../contracts/tokens.ts';
import { imageLayoutFile } from '../oci/image-layout.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import { type ImportProgress, ingestImage } from './image-ingest.ts';
import type { ImageRecord } from './image-repository.ts';
import type { ImageSource } from './import-source.ts';
import { normalizeReference } from './reference.ts';
import { ArchiveFiles } from './sources/archive-files.ts';
import { DirectoryFiles } from './sources/directory-files.ts';
import { readDockerArchive } from './sources/docker-archive.ts';
import type { ImageFiles } from './sources/image-files.ts';
import { readImageLayout } from './sources/image-layout.ts';
import { readRootfs } from './sources/rootfs.ts';
import type { SourceImage } from './sources/source-image.ts';
import type { TreeWorker } from './tree-worker.ts';
import type { LayerLimits } from './unpack-service.ts';

/** How an image is taken in. @public */
export interface ImportOptions extends OperationOptions {
  /** The name to give the image. By default, those that the source has for it. */
  readonly reference?: string;
  /** Which image of a source that has several, by the name that the source has for it. */
  readonly select?: string;
  /** What the image may take before it is refused. */
  readonly limits?: Partial<LayerLimits>;
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** An image whose content is stored, and the references that it shall have. */
export interface ImportedImage {
  readonly record: ImageRecord;
  readonly references: readonly string[];
}

/** Brings images from files and streams into the content store. */
@injectable()
export class ImageImporter {
  readonly #store: ContentStore;
  readonly #worker: TreeWorker;
  readonly #platform: Platform;

  constructor(
    @inject(ContentStore) store: ContentStore,
    @inject(TreeWorkerToken) worker: TreeWorker,
    @inject(HostInfoToken) host: HostInfo,
  ) {
    this.#store = store;
    this.#worker = worker;
    this.#platform = hostPlatform(host.architecture);
  }

  /** Stores the images of a source, held by `lease`. What the names are is checked before anything is stored. */
  async import(
    source: ImageSource,
    wanted: 'one' | 'all',
    lease: Lease,
    options: ImportOptions,
  ): Promise<readonly ImportedImage[]> {
    const limits: DecompressionLimits = {
      bytes: options.limits?.archiveBytes ?? defaultDecompressionLimits.bytes,
      ratio: options.limits?.ratio ?? defaultDecompressionLimits.ratio,
      ratioFrom: options.limits?.ratioFrom ?? defaultDecompressionLimits.ratioFrom,
    };
    if (source.kind === 'rootfs') {
      const image = await readRootfs(
        { rootfs: source.rootfs, config: source.config ?? {}, platform: this.#platform },
        this.#store,
        this.#worker,
        lease,
        limits,
        options,
      );
      return this.#ingest([image], lease, options);
    }
    await using files = await this.#open(source, limits, options);
    const images = await this.#read(files);
    return await this.#ingest(choose(images, wanted, options.select), lease, options);
  }

  async #open(
    source: Exclude<ImageSource, { kind: 'rootfs' }>,
    limits: DecompressionLimits,
    options: OperationOptions,
  ): Promise<ImageFiles> {
    if (source.kind === 'archive') return ArchiveFiles.open(source.archive, this.#store, limits, options);
    try {
      return await DirectoryFiles.open(source.path);
    } catch (error) {
      if (error instanceof HakoError && error.errno === 'ENOTDIR')
        return ArchiveFiles.open(source.path, this.#store, limits, options);
      throw error;
    }
  }

  /** Docker ≥ 25 writes both forms into one archive; the OCI form says more. */
  async #read(files: ImageFiles): Promise<readonly SourceImage[]> {
    return (await files.find(imageLayoutFile)) === null
      ? readDockerArchive(files, this.#platform)
      : readImageLayout(files, this.#platform);
  }

  async #ingest(
    images: readonly SourceImage[],
    lease: Lease,
    options: ImportOptions,
  ): Promise<readonly ImportedImage[]> {
    if (options.reference !== undefined && images.length > 1) {
      throw new HakoError(
        'INVALID_OPTION',
        `The source has ${images.length} images, which cannot all be called '${options.reference}'. Say which one with 'select', or leave the name out.`,
      );
    }
    const named = images.map((image) => ({
      image,
      references: (options.reference === undefined ? image.names.filter(isWholeName) : [options.reference]).map(
        normalizeReference,
      ),
    }));
    const imported: ImportedImage[] = [];
    for (const { image, references } of named)
      imported.push({ record: await ingestImage(image, this.#store, lease, options), references });
    return imported;
  }
}

function choose(
  images: readonly SourceImage[],
  wanted: 'one' | 'all',
  select: string | undefined,
): readonly SourceImage[] {
  const chosen =
    select === undefined
      ? images
      : images.filter(({ names }) => names.some((name) => name === select || isSameReference(name, select)));
  if (chosen.length === 1 || (wanted === 'all' && chosen.length > 0)) return chosen;
  const list = images
    .map(({ names }) => names[0] ?? '(without a name)')
    .slice(0, 20)
    .join(', ');
  throw new HakoError(
    'INVALID_OPTION',
    `The source has ${images.length} images: ${list}. Say which one with 'select'${select === undefined ? '' : `; '${select}' is none or several of them`}.`,
  );
}

/** A layout may call an image by its tag alone, which is the name of no repository. */
function isWholeName(name: string): boolean {
  return /[/:]/.test(name);
}

function isSameReference(name: string, select: string): boolean {
  try {
    return normalizeReference(name) === normalizeReference(select);
  } catch (error) {
    if (error instanceof HakoError) return false;
    throw error;
  }
}
