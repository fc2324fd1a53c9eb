import type { Digest } from '../base/digest.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';

/** An image as it is kept in the state store. Documents are in the content store; layers in the storage driver. */
export interface ImageRecord {
  /** The digest of the configuration: what Docker shows as the image ID. */
  readonly id: Digest;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly platform: Platform;
  /** From the lowest up. */
  readonly layers: readonly LayerRecord[];
  /** RFC 3339: when it came into this store. */
  readonly createdAt: string;
}

export interface LayerRecord {
  readonly blob: Descriptor;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/**
 * Where images are kept. Every method is synchronous and one transaction, unless it is called inside a
 * `LeaseRepository.transaction`, which it then belongs to.
 */
export interface ImageRepository {
  /** Inserts, or replaces the record of the same id; references stay. */
  put(image: ImageRecord): void;
  get(id: Digest): ImageRecord | null;
  /** Ids whose hex part begins so, at most `limit` of them. */
  findByPrefix(hexPrefix: string, limit: number): readonly Digest[];
  /** Newest first. */
  list(): readonly ImageRecord[];
  /** Removes the record and every reference to it. */
  delete(id: Digest): void;

  /** Points a reference (full form) at an image that is there, away from any other. */
  setReference(reference: string, id: Digest): void;
  /** Not there: fine. */
  deleteReference(reference: string): void;
  resolveReference(reference: string): Digest | null;
  /** In alphabetical order. */
  referencesOf(id: Digest): readonly string[];
}

/** Says whether a container needs an image; the container repository is one. */
export interface ImageUsage {
  usesImage(imageId: string): boolean;
}
