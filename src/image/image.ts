import type { Digest } from '../base/digest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ImageConfig } from '../oci/image-config.ts';
import { type HostImageOptions, hostImageConfig, hostImageId, parseHostImageOptions } from './host/host-image.ts';
import type { ImageRecord } from './image-repository.ts';

/**
 * One layer of an image, from the lowest up.
 *
 * @public
 */
export interface ImageLayer {
  /** Digest of the layer as it is stored and transferred, mostly compressed. */
  readonly digest: Digest;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Names the layer on top of those below it. */
  readonly chainId: Digest;
  /** Bytes of the layer as it is stored. */
  readonly size: number;
}

/**
 * An image as it was when it was looked up: a value, which holds nothing open and needs no closing.
 *
 * @public
 */
export class Image {
  /** The digest of the configuration: what Docker calls the image ID. */
  readonly id: Digest;
  /** Its names in full form (`docker.io/library/nginx:1.29`), in alphabetical order. */
  readonly references: readonly string[];
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
  /** Bytes of the layers and documents as they are stored; what is shared with other images counts in full. */
  readonly size: number;
  /** When the image was built, as it says itself; null when it does not. */
  readonly createdAt: Date | null;
  /** The host's own root in place of layers; null for an image of the store. */
  readonly host: HostImageOptions | null;

  /** @internal */
  constructor(parts: Omit<Image, 'toJSON'>) {
    this.id = parts.id;
    this.references = parts.references;
    this.config = parts.config;
    this.layers = parts.layers;
    this.size = parts.size;
    this.createdAt = parts.createdAt;
    this.host = parts.host;
  }

  /**
   * The host's own root as an image: a sandbox with nothing to pull. The container sees the host's programs and
   * libraries, cannot change them, and what it writes is gone with it.
   *
   * It sees the root *filesystem*: other filesystems that are mounted on the host (often /home, always /proc, /sys,
   * /run) are empty directories. hako's own root and the directories of {@link HostImageOptions.hide} are empty too.
   * Everything else that the container's user may read on the host, it can read: see the option before running code
   * that you do not trust.
   *
   * @throws HakoError `HAKO_ERR_INVALID_OPTION`
   */
  static fromHost(hostOptions: HostImageOptions = {}): Image {
    const options = parseHostImageOptions(hostOptions);
    const config = hostImageConfig();
    return new Image({
      id: hostImageId(options),
      references: [],
      config,
      layers: [],
      size: 0,
      createdAt: null,
      host: options,
    });
  }
}

/** @internal */
export function imageOf(record: ImageRecord, references: readonly string[], config: ImageConfig): Image {
  const created = config.created === undefined ? Number.NaN : Date.parse(config.created);
  return new Image({
    id: record.id,
    references,
    config,
    layers: record.layers.map(({ blob, diffId, chainId }) => ({
      digest: blob.digest,
      diffId,
      chainId,
      size: blob.size,
    })),
    size: [record.manifest, record.config, ...record.layers.map(({ blob }) => blob)].reduce(
      (sum: number, { size }: Descriptor) => sum + size,
      0,
    ),
    createdAt: Number.isNaN(created) ? null : new Date(created),
    host: null,
  });
}
