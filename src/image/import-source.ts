import type { ContainerDefaults } from '../oci/image-config.ts';

/** Bytes as they come: a stream of Node's, a response's body, a generator. @public */
export type ByteSource = AsyncIterable<Uint8Array>;

/**
 * Where an image can be imported from.
 *
 * @public
 */
export type ImageSource =
  /** An OCI image layout: a directory, or a tar of one (plain, gzip or zstd). */
  | { readonly kind: 'oci-layout'; readonly path: string }
  /** A tar of `docker save`, `podman save`, or of an OCI image layout; plain, gzip or zstd; by path or as a stream. */
  | { readonly kind: 'archive'; readonly archive: string | ByteSource }
  /** A root filesystem: a directory, or a tar (plain, gzip or zstd) by path or as a stream. It becomes an image of one layer. */
  | { readonly kind: 'rootfs'; readonly rootfs: string | ByteSource; readonly config?: Partial<ContainerDefaults> };
