import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import type { ImageSource } from '../../src/image/import-source.ts';
import {
  type Blob,
  blobOf,
  buildImage,
  indexOf,
  indexType,
  layerOf,
  layoutFiles,
  layoutOf,
  tarOf,
  writeFiles,
} from './image-fixtures.ts';
import { leftovers, openImageRuntime } from './image-runtime.ts';

const same = { kind: 'same' } as const;
export const scratch = mkdtempSync(join(tmpdir(), 'hako-hostile-'));
/** A file of the host that no image may read or change. */
export const canary = join(scratch, 'host-canary');
let counter = 0;
export const place = (): string => join(scratch, `${counter++}`);

beforeAll(() => writeFileSync(canary, 'host secret'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export const built = buildImage({ layers: [{ tar: layerOf({ name: 'file', data: 'content' }), compression: 'gzip' }] });
export const sound = layoutOf(built);
export const layerName = `blobs/sha256/${built.layers[0]?.digest.slice(7)}`;
export const layout = (files: Record<string, Buffer>): ImageSource => ({
  kind: 'oci-layout',
  path: writeFiles(place(), files),
});
export const archive = (content: Buffer): ImageSource => {
  const path = place();
  writeFileSync(path, content);
  return { kind: 'archive', archive: path };
};
export const without = (name: string): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(sound).filter(([key]) => key !== name));

/** A layout whose manifest is another document, with the right digest for it. */
export const withManifest = (manifest: unknown, blobs: readonly Blob[] = built.blobs): Record<string, Buffer> => {
  const blob = blobOf(typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  return layoutFiles([{ blob }], [...blobs, blob]);
};
export const soundManifest = JSON.parse(built.manifest.content.toString()) as Record<string, unknown> & {
  layers: Record<string, unknown>[];
  config: Record<string, unknown>;
};
export const withConfig = (config: unknown): Record<string, Buffer> => {
  const blob = blobOf(typeof config === 'string' ? config : JSON.stringify(config));
  return withManifest({ ...soundManifest, config: { ...soundManifest.config, digest: blob.digest, size: blob.size } }, [
    ...built.blobs,
    blob,
  ]);
};
export const soundConfig = JSON.parse(built.config.content.toString()) as Record<string, unknown>;

/** A directory that has something else where a blob should be. */
export function layoutWith(make: (path: string) => void): ImageSource {
  const path = writeFiles(place(), without(layerName));
  mkdirSync(dirname(join(path, layerName)), { recursive: true });
  make(join(path, layerName));
  return { kind: 'oci-layout', path };
}

/** index → index → …, each naming the next many times. */
export function indexBomb(depth: number, width: number): Record<string, Buffer> {
  const blobs: Blob[] = [];
  let below: { blob: Blob; mediaType?: string } = { blob: built.manifest };
  for (let level = 0; level < depth; level++) {
    const next = indexOf(Array.from({ length: width }, () => below));
    blobs.push(next);
    below = { blob: next, mediaType: indexType };
  }
  return layoutFiles([below], [...built.blobs, ...blobs]);
}

export const invalidImage = 'HAKO_ERR_INVALID_IMAGE';
export const invalidArchive = 'HAKO_ERR_INVALID_ARCHIVE';
export const mismatch = 'HAKO_ERR_BLOB_DIGEST_MISMATCH';
export const overLimit = 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED';

export type Refusal = readonly [title: string, source: () => ImageSource, code: string];

/** Tests that each of these is refused with its code, and that nothing is left of the attempt. */
export function refuses(cases: readonly Refusal[]): void {
  it('is told from a sound one (positive control)', async () => {
    await using runtime = await openImageRuntime();
    await runtime.images.import(layout(sound), same);
    await runtime.images.import(archive(tarOf(sound)), same);
    expect(leftovers(runtime.root)).not.toEqual([]);
  });

  it.each(cases)('is refused: %s; and nothing is left behind', async (_title, source, code) => {
    await using runtime = await openImageRuntime();
    const error = await runtime.images.import(source(), same).then(
      () => null,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(HakoError);
    expect((error as HakoError).code, (error as HakoError).message).toBe(code);
    expect((error as HakoError).message.length).toBeLessThan(2000);
    await runtime.storage[Symbol.asyncDispose]();
    expect(leftovers(runtime.root)).toEqual([]);
    expect(await runtime.images.list()).toEqual([]);
    expect(runtime.leases.leasedResources()).toEqual(new Set());
    expect(readFileSync(canary, 'utf8')).toBe('host secret');
  });
}
