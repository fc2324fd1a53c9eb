import { constants } from 'node:fs';
import type { Digest } from '../../base/digest.ts';
import { HakoError } from '../../base/errors.ts';
import type { ContentStore, StoredContent } from '../../content/content-store.ts';
import type { DecompressionLimits } from '../../content/decompress.ts';
import type { Lease } from '../../content/lease.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { encodeImageConfig } from '../../oci/encode.ts';
import type { ContainerDefaults } from '../../oci/image-config.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import type { ByteSource } from '../import-source.ts';
import type { TreeWorker } from '../tree-worker.ts';
import { decompressAny } from './archive-files.ts';
import { openPath } from './open-path.ts';
import type { SourceImage } from './source-image.ts';

export interface RootfsRequest {
  readonly rootfs: string | ByteSource;
  readonly config: Partial<ContainerDefaults>;
  readonly platform: Platform;
}

/**
 * Makes an image of one layer of a root filesystem. The layer is stored first, uncompressed, because an image's
 * config cannot be written before its digest is known.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a path that is neither file nor directory; as `decompress` does.
 */
export async function readRootfs(
  request: RootfsRequest,
  store: ContentStore,
  worker: TreeWorker,
  lease: Lease,
  limits: DecompressionLimits,
  options: OperationOptions,
): Promise<SourceImage> {
  const { digest, size } = await storeLayer(request.rootfs, store, worker, lease, limits, options);
  const created = new Date().toISOString();
  const config = encodeImageConfig({
    platform: request.platform,
    created,
    defaults: request.config,
    diffIds: [digest],
    comment: 'imported by hako',
  });
  return {
    names: [],
    config: config.content,
    manifest: null,
    layers: [{ mediaType: mediaTypes.ociLayer, expected: { digest, size }, content: () => storedAlready(digest) }],
  };
}

async function storeLayer(
  rootfs: string | ByteSource,
  store: ContentStore,
  worker: TreeWorker,
  lease: Lease,
  limits: DecompressionLimits,
  options: OperationOptions,
): Promise<StoredContent> {
  if (typeof rootfs !== 'string') return store.ingest(decompressAny(rootfs, limits, options), {}, lease, options);
  const handle = await openPath(rootfs, constants.O_RDONLY | constants.O_NONBLOCK);
  const status = await handle.stat();
  if (status.isFile())
    return store.ingest(
      decompressAny(handle.createReadStream({ highWaterMark: 1 << 20 }), limits, options),
      {},
      lease,
      options,
    );
  await handle.close();
  if (status.isDirectory()) return store.ingest(worker.pack(rootfs, options), {}, lease, options);
  throw new HakoError('INVALID_OPTION', `'${rootfs}' is neither a directory nor an archive.`, { path: rootfs });
}

// biome-ignore lint/correctness/useYield: a stream of the wrong kind would be read as an empty layer.
async function* storedAlready(digest: Digest): AsyncGenerator<Uint8Array> {
  throw new HakoError('BLOB_NOT_FOUND', `Layer ${digest} was stored and has gone away. Import again.`);
}
