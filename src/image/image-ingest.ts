import { digestOf } from '../base/digest.ts';
import { HakoError } from '../base/errors.ts';
import type { ContentStore } from '../content/content-store.ts';
import { detectCompression } from '../content/decompress.ts';
import type { Lease } from '../content/lease.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { chainIds } from '../oci/chain-id.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { encodeManifest } from '../oci/encode.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import { mediaTypes, ociLayerTypes } from '../oci/media-types.ts';
import type { ImageRecord, LayerRecord } from './image-repository.ts';
import type { SourceImage, SourceLayer } from './sources/source-image.ts';

/** How far an import is. @public */
export interface ImportProgress {
  /** `store`: blobs are taken in and verified; `unpack`: layers are made directories. */
  readonly step: 'store' | 'unpack';
  /** Which layer, from 1. */
  readonly layer: number;
  /** How many there are. */
  readonly layers: number;
  /** Bytes of this layer that are stored, for the step `store`. */
  readonly bytes: number;
}

/**
 * Puts an image's documents and layers into the content store, held by `lease`, each verified as it comes.
 *
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`, `HAKO_ERR_BLOB_DIGEST_MISMATCH`; whatever the source throws.
 */
export async function ingestImage(
  source: SourceImage,
  store: ContentStore,
  lease: Lease,
  options: OperationOptions & { readonly onProgress?: (progress: ImportProgress) => void },
): Promise<ImageRecord> {
  const id = digestOf(source.config);
  const config = parseImageConfig(source.config, `image config ${id}`);
  if (config.diffIds.length !== source.layers.length) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The image has ${source.layers.length} layers, but its config ${id} speaks of ${config.diffIds.length}. It was made wrongly: build it again.`,
    );
  }
  const chain = chainIds(config.diffIds);
  const layers: LayerRecord[] = [];
  for (const [index, diffId] of config.diffIds.entries()) {
    const [layer, chainId] = [source.layers[index], chain[index]];
    if (layer === undefined || chainId === undefined) break; // both are as long as diffIds
    const report = (bytes: number) =>
      options.onProgress?.({ step: 'store', layer: index + 1, layers: config.diffIds.length, bytes });
    layers.push({ blob: await ingestLayer(layer, store, lease, report, options), diffId, chainId });
  }
  const configDescriptor = source.manifest?.config ?? {
    mediaType: mediaTypes.ociConfig,
    digest: id,
    size: source.config.byteLength,
  };
  if (configDescriptor.digest !== id)
    throw new HakoError(
      'INVALID_IMAGE',
      `The manifest names the config ${configDescriptor.digest}, but the image came with ${id}.`,
    );
  const manifest =
    source.manifest ??
    encodeManifest(
      configDescriptor,
      layers.map(({ blob }) => blob),
    );
  await store.ingest(once(source.config), configDescriptor, lease, options);
  await store.ingest(once(manifest.content), manifest.descriptor, lease, options);
  return {
    id,
    manifest: bare(manifest.descriptor),
    config: bare(configDescriptor),
    platform: config.platform,
    layers,
    createdAt: new Date().toISOString(),
  };
}

async function ingestLayer(
  layer: SourceLayer,
  store: ContentStore,
  lease: Lease,
  report: (bytes: number) => void,
  options: OperationOptions,
): Promise<Descriptor> {
  let start = new Uint8Array();
  let bytes = 0;
  const observed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of layer.content()) {
      if (start.byteLength < 4) start = Buffer.concat([start, chunk.subarray(0, 4)]);
      bytes += chunk.byteLength;
      report(bytes);
      yield chunk;
    }
  };
  const { digest, size } = await store.ingest(observed(), layer.expected, lease, options);
  return { mediaType: layer.mediaType ?? ociLayerTypes[detectCompression(start)], digest, size };
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

const bare = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
