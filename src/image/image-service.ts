import type { EventEmitter } from 'eventemitter3';
import { inject, injectable } from 'tsyringe';
import { type Digest, isDigest } from '../base/digest.ts';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import { ContentStore } from '../content/content-store.ts';
import { Lease } from '../content/lease.ts';
import type { LeaseRepository } from '../content/lease-repository.ts';
import type { RuntimeEvents } from '../contracts/events.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import {
  ContainerRepositoryToken,
  EventBusToken,
  ImageRepositoryToken,
  LeaseRepositoryToken,
} from '../contracts/tokens.ts';
import { type ImageConfig, parseImageConfig } from '../oci/image-config.ts';
import { maxDocumentBytes } from '../oci/schema.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { type Image, imageOf } from './image.ts';
import { type CommitRequest, ImageCommitter } from './image-committer.ts';
import { ImageImporter, type ImportedImage, type ImportOptions } from './image-importer.ts';
import type { ImageRecord, ImageRepository, ImageUsage } from './image-repository.ts';
import type { ImageSource } from './import-source.ts';
import { normalizeReference } from './reference.ts';
import { UnpackService } from './unpack-service.ts';

/** Configs never change, being named by their digest; so many are kept in memory. */
const configCacheSize = 256;

/** The images of a runtime. */
@injectable()
export class ImageService {
  readonly #store: ContentStore;
  readonly #importer: ImageImporter;
  readonly #committer: ImageCommitter;
  readonly #unpacker: UnpackService;
  readonly #collector: GarbageCollector;
  readonly #images: ImageRepository;
  readonly #leases: LeaseRepository;
  readonly #usage: ImageUsage;
  readonly #events: Pick<EventEmitter<RuntimeEvents>, 'emit'>;
  readonly #configs = new Map<Digest, ImageConfig>();

  constructor(
    @inject(ContentStore) store: ContentStore,
    @inject(ImageImporter) importer: ImageImporter,
    @inject(ImageCommitter) committer: ImageCommitter,
    @inject(UnpackService) unpacker: UnpackService,
    @inject(GarbageCollector) collector: GarbageCollector,
    @inject(ImageRepositoryToken) images: ImageRepository,
    @inject(LeaseRepositoryToken) leases: LeaseRepository,
    @inject(ContainerRepositoryToken) usage: ImageUsage,
    @inject(EventBusToken) events: Pick<EventEmitter<RuntimeEvents>, 'emit'>,
  ) {
    this.#store = store;
    this.#importer = importer;
    this.#committer = committer;
    this.#unpacker = unpacker;
    this.#collector = collector;
    this.#images = images;
    this.#leases = leases;
    this.#usage = usage;
    this.#events = events;
  }

  /**
   * Imports the one image of a source (or the one that `select` names), verified, and unpacked for `ownership`.
   *
   * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_INVALID_ARCHIVE`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`,
   * `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED`, `HAKO_ERR_INVALID_REFERENCE`, `HAKO_ERR_INVALID_OPTION` when there are several.
   * Nothing is left behind then.
   */
  async import(source: ImageSource, ownership: FileOwnership, options: ImportOptions = {}): Promise<Image> {
    const [image] = await this.#import(source, 'one', ownership, options);
    if (image === undefined) throw new HakoError('INVALID_IMAGE', 'The source holds no image.');
    return image;
  }

  /** Imports every image of a source; all of them, or none. @throws HakoError as {@link import} does. */
  async importAll(
    source: ImageSource,
    ownership: FileOwnership,
    options: ImportOptions = {},
  ): Promise<readonly Image[]> {
    return this.#import(source, 'all', ownership, options);
  }

  /** The newest first. An image whose config is damaged is reported as a `warning`, and left out. */
  async list(): Promise<readonly Image[]> {
    const images: Image[] = [];
    for (const record of this.#images.list()) {
      try {
        images.push(await this.#open(record));
      } catch (cause) {
        this.#events.emit('warning', {
          message: `Image ${record.id} is left out, because its config cannot be read. Import it again.`,
          cause,
        });
      }
    }
    return images;
  }

  /**
   * Finds an image by reference (`nginx`, `ghcr.io/a/b:1`), ID, or the beginning of an ID.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`; `HAKO_ERR_INVALID_REFERENCE` when it can be neither.
   */
  async get(name: string): Promise<Image> {
    const record = this.#find(name);
    if (record === null)
      throw new HakoError(
        'IMAGE_NOT_FOUND',
        `There is no image '${name.slice(0, 200)}'. Import it first, or look at the list of images.`,
      );
    return this.#open(record);
  }

  /**
   * Gives an image another name, taking it from whatever image has it.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_INVALID_REFERENCE`
   */
  async tag(name: string, reference: string): Promise<Image> {
    const full = normalizeReference(reference);
    if (full.includes('@'))
      throw new HakoError('INVALID_REFERENCE', `'${reference}' names a digest; a name that is given must be a tag.`);
    const { id } = await this.get(name);
    this.#leases.transaction(() => {
      if (this.#images.get(id) === null)
        throw new HakoError('IMAGE_NOT_FOUND', `The image '${name}' has just been removed.`);
      this.#images.setReference(full, id);
    });
    return this.get(id);
  }

  /**
   * Takes a name from an image; with its last name, or by its ID, the image goes too.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND`, `HAKO_ERR_IMAGE_IN_USE` while a container needs it.
   */
  async remove(name: string): Promise<{ readonly untagged: readonly string[]; readonly deleted: Digest | null }> {
    const result = this.#leases.transaction(() => this.#remove(name));
    if (result.deleted === null) return result;
    this.#configs.delete(result.deleted);
    await this.#collector.collect();
    this.#events.emit('image:remove', { id: result.deleted, time: new Date() });
    return result;
  }

  /**
   * Makes sure that an image is unpacked for an ownership, and returns the snapshot that its containers are based on.
   * While `use` runs, neither the image nor its snapshots can go away.
   */
  async withSnapshot<T>(
    image: Image,
    ownership: FileOwnership,
    use: (parent: Awaited<ReturnType<UnpackService['ensure']>>) => Promise<T>,
    options: OperationOptions = {},
  ): Promise<T> {
    const record = this.#images.get(image.id);
    if (record === null)
      throw new HakoError('IMAGE_NOT_FOUND', `The image ${image.id} has been removed. Import it again.`);
    using lease = this.#lease(`container of ${image.id}`);
    return await use(await this.#unpacker.ensure(record.layers, ownership, lease, options));
  }

  /**
   * Makes an image of another with a layer on top, unpacked for `ownership`.
   *
   * @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND` when the other is not there. Nothing is left behind then.
   */
  async commit(request: CommitRequest, ownership: FileOwnership, options: OperationOptions = {}): Promise<Image> {
    const [image] = await this.#take(`commit on ${request.base}`, ownership, options, async (lease) => [
      await this.#committer.commit(request, lease, options),
    ]);
    if (image === undefined) throw new HakoError('INVALID_IMAGE', 'The commit made no image.');
    return image;
  }

  #import(
    source: ImageSource,
    wanted: 'one' | 'all',
    ownership: FileOwnership,
    options: ImportOptions,
  ): Promise<readonly Image[]> {
    return this.#take(`import of ${source.kind}`, ownership, options, (lease) =>
      this.#importer.import(source, wanted, lease, options),
    );
  }

  /** Takes in images that `store` puts into the content store: all of them, or none. */
  async #take(
    purpose: string,
    ownership: FileOwnership,
    options: ImportOptions,
    store: (lease: Lease) => Promise<readonly ImportedImage[]>,
  ): Promise<readonly Image[]> {
    try {
      using lease = this.#lease(purpose);
      const imported = await store(lease);
      for (const { record } of imported) await this.#unpack(record, ownership, lease, options);
      this.#leases.transaction(() => this.#record(imported));
      return await Promise.all(imported.map(({ record }) => this.#announce(record)));
    } catch (error) {
      await this.#cleanUp();
      throw error;
    }
  }

  #lease(purpose: string): Lease {
    return new Lease(this.#leases, purpose, () => this.#collector.collect());
  }

  /** After a failure, which is what the caller must hear of. */
  async #cleanUp(): Promise<void> {
    try {
      await this.#collector.collect();
    } catch (cause) {
      this.#events.emit('warning', {
        message: 'What a failed import had stored could not be removed yet; a later removal of an image does it.',
        cause,
      });
    }
  }

  async #unpack(record: ImageRecord, ownership: FileOwnership, lease: Lease, options: ImportOptions): Promise<void> {
    let layer = 0;
    await this.#unpacker.ensure(record.layers, ownership, lease, {
      ...options,
      onLayer: () => options.onProgress?.({ step: 'unpack', layer: ++layer, layers: record.layers.length, bytes: 0 }),
    });
  }

  #record(imported: readonly ImportedImage[]): void {
    for (const { record, references } of imported) {
      this.#images.put(record);
      for (const reference of references) this.#images.setReference(reference, record.id);
    }
  }

  async #announce(record: ImageRecord): Promise<Image> {
    const image = await this.#open(record);
    this.#events.emit('image:import', { id: image.id, name: image.references[0] ?? '', time: new Date() });
    return image;
  }

  #remove(name: string): { untagged: readonly string[]; deleted: Digest | null } {
    const record = this.#find(name);
    if (record === null) throw new HakoError('IMAGE_NOT_FOUND', `There is no image '${name.slice(0, 200)}' to remove.`);
    const references = this.#images.referencesOf(record.id);
    const byReference = references.find((reference) => reference === referenceOrNull(name));
    if (byReference !== undefined && references.length > 1) {
      this.#images.deleteReference(byReference);
      return { untagged: [byReference], deleted: null };
    }
    if (this.#usage.usesImage(record.id))
      throw new HakoError(
        'IMAGE_IN_USE',
        `The image '${name.slice(0, 200)}' is needed by a container. Remove the container first.`,
      );
    this.#images.delete(record.id);
    return { untagged: references, deleted: record.id };
  }

  #find(name: string): ImageRecord | null {
    const asId = name.startsWith('sha256:') ? name : `sha256:${name}`;
    if (isDigest(asId)) return this.#images.get(asId);
    const prefix = /^(?:sha256:)?([0-9a-f]{4,63})$/.exec(name)?.[1];
    const reference = referenceOrNull(name);
    if (reference === null && prefix === undefined) normalizeReference(name); // throws, saying what is wrong with it
    const byReference = reference === null ? null : this.#images.resolveReference(reference);
    if (byReference !== null) return this.#images.get(byReference);
    const [id, another] = prefix === undefined ? [] : this.#images.findByPrefix(prefix, 2);
    if (another !== undefined)
      throw new HakoError('IMAGE_NOT_FOUND', `The IDs of several images begin with '${name}'. Write more of it.`);
    return id === undefined ? null : this.#images.get(id);
  }

  async #open(record: ImageRecord): Promise<Image> {
    return imageOf(record, this.#images.referencesOf(record.id), await this.#config(record));
  }

  async #config({ id, config }: ImageRecord): Promise<ImageConfig> {
    const cached = this.#configs.get(id);
    if (cached !== undefined) return cached;
    const parsed = parseImageConfig(await this.#store.readAll(config, maxDocumentBytes), `image config ${id}`);
    if (this.#configs.size >= configCacheSize) this.#configs.clear();
    this.#configs.set(id, parsed);
    return parsed;
  }
}

/** null: it cannot be a reference; it may be the beginning of an ID. */
function referenceOrNull(name: string): string | null {
  try {
    return normalizeReference(name);
  } catch (error) {
    if (hasHakoCode(error, 'HAKO_ERR_INVALID_REFERENCE')) return null;
    throw error;
  }
}
