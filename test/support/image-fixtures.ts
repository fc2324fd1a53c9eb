import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type TarEntry, tar } from './tar.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

export interface FixtureLayer {
  /** The uncompressed tar. */
  readonly tar: Buffer;
  readonly compression?: Compression;
}

export interface FixtureImage {
  readonly layers: readonly FixtureLayer[];
  /** The `config` object of the image config. */
  readonly config?: Record<string, unknown>;
  readonly architecture?: string;
  readonly variant?: string;
  readonly os?: string;
  readonly diffIds?: readonly string[];
}

export interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly content: Buffer;
}

export interface BuiltImage {
  readonly config: Blob;
  readonly manifest: Blob;
  readonly layers: readonly Blob[];
  readonly diffIds: readonly string[];
  readonly blobs: readonly Blob[];
}

export const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

export const layerOf = (...entries: readonly TarEntry[]): Buffer => tar(...entries);

export function blobOf(content: Buffer | string): Blob {
  const buffer = Buffer.from(content);
  return {
    digest: `sha256:${createHash('sha256').update(buffer).digest('hex')}`,
    size: buffer.length,
    content: buffer,
  };
}

export function compress(content: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(content);
  return compression === 'zstd' ? zstdCompressSync(content) : content;
}

/** A small image whose layers one can tell apart. */
export function buildImage(image: FixtureImage): BuiltImage {
  const layers = image.layers.map(({ tar: content, compression = 'none' }) => blobOf(compress(content, compression)));
  const diffIds = image.diffIds ?? image.layers.map(({ tar: content }) => blobOf(content).digest);
  const config = blobOf(
    JSON.stringify({
      architecture: image.architecture ?? hostArchitecture,
      ...(image.variant === undefined ? {} : { variant: image.variant }),
      os: image.os ?? 'linux',
      created: '2024-05-06T07:08:09Z',
      config: image.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
  );
  const suffix = { none: '', gzip: '+gzip', zstd: '+zstd' };
  const manifest = blobOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.size },
      layers: layers.map(({ digest, size }, index) => ({
        mediaType: `application/vnd.oci.image.layer.v1.tar${suffix[image.layers[index]?.compression ?? 'none']}`,
        digest,
        size,
      })),
    }),
  );
  return { config, manifest, layers, diffIds, blobs: [config, manifest, ...layers] };
}

export interface IndexEntry {
  readonly blob: Blob;
  readonly mediaType?: string;
  readonly platform?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';

export function indexOf(entries: readonly IndexEntry[]): Blob {
  return blobOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: indexType,
      manifests: entries.map(({ blob, mediaType = manifestType, platform, annotations }) => ({
        mediaType,
        digest: blob.digest,
        size: blob.size,
        platform,
        annotations,
      })),
    }),
  );
}

/** The files of an image layout, by name. */
export function layoutFiles(entries: readonly IndexEntry[], blobs: readonly Blob[]): Record<string, Buffer> {
  return {
    'oci-layout': Buffer.from('{"imageLayoutVersion":"1.0.0"}'),
    'index.json': indexOf(entries).content,
    ...Object.fromEntries(blobs.map(({ digest, content }) => [`blobs/sha256/${digest.slice(7)}`, content])),
  };
}

export function layoutOf(image: BuiltImage, name?: string): Record<string, Buffer> {
  return layoutFiles(
    [
      {
        blob: image.manifest,
        ...(name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': name } }),
      },
    ],
    image.blobs,
  );
}

/** The files of an archive as `docker save` wrote it before version 25. */
export function dockerArchiveFiles(image: BuiltImage, repoTags: readonly string[] | null): Record<string, Buffer> {
  const names = image.layers.map(({ digest }) => `${digest.slice(7)}/layer.tar`);
  const configName = `${image.config.digest.slice(7)}.json`;
  return {
    ...Object.fromEntries(image.layers.map(({ content }, index) => [names[index] ?? '', content])),
    [configName]: image.config.content,
    'manifest.json': Buffer.from(JSON.stringify([{ Config: configName, RepoTags: repoTags, Layers: names }])),
  };
}

export function tarOf(files: Record<string, Buffer>): Buffer {
  return tar(...Object.entries(files).map(([name, data]) => ({ name, data })));
}

export function writeFiles(directory: string, files: Record<string, Buffer>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}
