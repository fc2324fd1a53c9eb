import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { inject, injectable } from 'tsyringe';
import { type Digest, digestOf } from '../base/digest.ts';
import { HakoError } from '../base/errors.ts';
import { ContentStore, type StoredContent } from '../content/content-store.ts';
import type { Lease } from '../content/lease.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { ImageRepositoryToken } from '../contracts/tokens.ts';
import { extendImageConfig } from '../oci/encode.ts';
import type { ContainerDefaults } from '../oci/image-config.ts';
import { layerCompression, mediaTypes, ociLayerTypes } from '../oci/media-types.ts';
import { maxDocumentBytes } from '../oci/schema.ts';
import type { ImportedImage } from './image-importer.ts';
import { ingestImage } from './image-ingest.ts';
import type { ImageRepository, LayerRecord } from './image-repository.ts';
import type { SourceLayer } from './sources/source-image.ts';

/** An image with a layer more. */
export interface CommitRequest {
  /** The image that it is based on. */
  readonly base: string;
  /** In full form; null: it has no name. */
  readonly reference: string | null;
  /** What it says of containers, where that differs from what its base says. */
  readonly defaults: Partial<ContainerDefaults>;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  /** What has made the layer, for its history. */
  readonly createdBy: string;
  /** The layer as a plain tar stream; read once. */
  layer(): AsyncIterable<Uint8Array>;
}

/** The end of an archive, and nothing before it. */
const emptyLayer = digestOf(new Uint8Array(1024));

/** Makes images of others and of what a container has changed. */
@injectable()
export class ImageCommitter {
  readonly #store: ContentStore;
  readonly #images: ImageRepository;

  constructor(@inject(ContentStore) store: ContentStore, @inject(ImageRepositoryToken) images: ImageRepository) {
    this.#store = store;
    this.#images = images;
  }

  /** Stores the image, held by `lease`. @throws HakoError `HAKO_ERR_IMAGE_NOT_FOUND` */
  async commit(request: CommitRequest, lease: Lease, options: OperationOptions): Promise<ImportedImage> {
    const base = this.#images.get(request.base as Digest);
    if (base === null)
      throw new HakoError(
        'IMAGE_NOT_FOUND',
        `The image ${request.base} that the container was made of is not in the store, so nothing can be put on top of it.`,
      );
    const { blob, diffId } = await this.#storeLayer(request.layer(), lease, options);
    const isEmpty = diffId === emptyLayer;
    const config = extendImageConfig(await this.#store.readAll(base.config, maxDocumentBytes), {
      ...request,
      created: new Date().toISOString(),
      diffId: isEmpty ? null : diffId,
    });
    const top: SourceLayer = { mediaType: mediaTypes.ociLayerGzip, expected: blob, content: () => this.#read(blob) };
    const image = {
      names: [],
      config: config.content,
      manifest: null,
      layers: [...base.layers.map((layer) => this.#layerOf(layer)), ...(isEmpty ? [] : [top])],
    };
    return {
      record: await ingestImage(image, this.#store, lease, options),
      references: request.reference === null ? [] : [request.reference],
    };
  }

  async #storeLayer(
    tar: AsyncIterable<Uint8Array>,
    lease: Lease,
    options: OperationOptions,
  ): Promise<{ blob: StoredContent; diffId: Digest }> {
    const hash = createHash('sha256');
    const plain = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of tar) {
        hash.update(chunk);
        yield chunk;
      }
    };
    const gzip = createGzip();
    const [packed, stored] = await Promise.allSettled([
      pipeline(plain(), gzip),
      this.#store.ingest(gzip, {}, lease, options),
    ]);
    options.signal?.throwIfAborted();
    // Each ends when the other does; what has failed first is what ended the last of them.
    if (stored.status === 'rejected') throw stored.reason;
    if (packed.status === 'rejected') throw packed.reason;
    return { blob: stored.value, diffId: `sha256:${hash.digest('hex')}` as Digest };
  }

  /** A manifest of the OCI's names layers in the OCI's words, whatever the base's manifest called them. */
  #layerOf({ blob }: LayerRecord): SourceLayer {
    const compression = layerCompression(blob.mediaType);
    return {
      mediaType: compression === undefined ? blob.mediaType : ociLayerTypes[compression],
      expected: { digest: blob.digest, size: blob.size },
      content: () => this.#read(blob),
    };
  }

  /** It is there, so that it is read only when somebody has taken it away, which this tells of. */
  #read(blob: StoredContent): AsyncIterable<Uint8Array> {
    return this.#store.read(blob);
  }
}
