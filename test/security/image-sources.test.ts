import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import type { ImageSource } from '../../src/image/import-source.ts';
import { type Blob, blobOf, buildImage, dockerArchiveFiles, indexOf, indexType, layerOf, layoutFiles, layoutOf, tarOf, writeFiles } from '../support/image-fixtures.ts';
import { leftovers, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';
import { tar } from '../support/tar.ts';

const same = { kind: 'same' } as const;
const scratch = mkdtempSync(join(tmpdir(), 'hako-hostile-'));
const canary = join(scratch, 'host-canary');
let counter = 0;
const place = (): string => join(scratch, `${counter++}`);

beforeAll(() => writeFileSync(canary, 'host secret'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const built = buildImage({ layers: [{ tar: layerOf({ name: 'file', data: 'content' }), compression: 'gzip' }] });
const sound = layoutOf(built);
const layerName = `blobs/sha256/${built.layers[0]?.digest.slice(7)}`;
const layout = (files: Record<string, Buffer>): ImageSource => ({ kind: 'oci-layout', path: writeFiles(place(), files) });
const archive = (content: Buffer): ImageSource => {
  const path = place();
  writeFileSync(path, content);
  return { kind: 'archive', archive: path };
};
const without = (name: string): Record<string, Buffer> => Object.fromEntries(Object.entries(sound).filter(([key]) => key !== name));

/** A layout whose manifest is another document, with the right digest for it. */
const withManifest = (manifest: unknown, blobs: readonly Blob[] = built.blobs): Record<string, Buffer> => {
  const blob = blobOf(typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  return layoutFiles([{ blob }], [...blobs, blob]);
};
const soundManifest = JSON.parse(built.manifest.content.toString()) as Record<string, unknown> & { layers: Record<string, unknown>[]; config: Record<string, unknown> };
const withConfig = (config: unknown): Record<string, Buffer> => {
  const blob = blobOf(typeof config === 'string' ? config : JSON.stringify(config));
  return withManifest({ ...soundManifest, config: { ...soundManifest.config, digest: blob.digest, size: blob.size } }, [...built.blobs, blob]);
};
const soundConfig = JSON.parse(built.config.content.toString()) as Record<string, unknown>;

/** A directory that has something else where a blob should be. */
function layoutWith(make: (path: string) => void): ImageSource {
  const path = writeFiles(place(), without(layerName));
  mkdirSync(dirname(join(path, layerName)), { recursive: true });
  make(join(path, layerName));
  return { kind: 'oci-layout', path };
}

/** index → index → …, each naming the next many times. */
function indexBomb(depth: number, width: number): Record<string, Buffer> {
  const blobs: Blob[] = [];
  let below: { blob: Blob; mediaType?: string } = { blob: built.manifest };
  for (let level = 0; level < depth; level++) {
    const next = indexOf(Array.from({ length: width }, () => below));
    blobs.push(next);
    below = { blob: next, mediaType: indexType };
  }
  return layoutFiles([below], [...built.blobs, ...blobs]);
}

const invalidImage = 'HAKO_ERR_INVALID_IMAGE';
const invalidArchive = 'HAKO_ERR_INVALID_ARCHIVE';
const mismatch = 'HAKO_ERR_BLOB_DIGEST_MISMATCH';
const overLimit = 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED';

const cases: readonly [title: string, source: () => ImageSource, code: string][] = [
  // CVE-2024-3727: the digest is a path, or not what the content has
  ...['sha256:../../x', 'sha256:abc', `sha256:${'A'.repeat(64)}`, `md5:${'a'.repeat(32)}`, `sha256:${'a'.repeat(63)}\n`, '', `sha256:${'a'.repeat(10_000)}`].map(
    (digest): [string, () => ImageSource, string] => [`a layer whose digest is ${JSON.stringify(digest.slice(0, 30))}`, () => layout(withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], digest }] })), invalidImage],
  ),
  ['a layer with other bytes of the right length', () => layout({ ...sound, [layerName]: Buffer.alloc(built.layers[0]?.size ?? 0, 7) }), mismatch],
  ['a layer that is cut short', () => layout({ ...sound, [layerName]: (sound[layerName] ?? Buffer.alloc(0)).subarray(0, 20) }), mismatch],
  ['a layer that goes on', () => layout({ ...sound, [layerName]: Buffer.concat([sound[layerName] ?? Buffer.alloc(0), Buffer.from('more')]) }), mismatch],
  ['a manifest with other bytes', () => layout({ ...sound, [`blobs/sha256/${built.manifest.digest.slice(7)}`]: Buffer.from(built.manifest.content.toString().replace('"schemaVersion":2', '"schemaVersion": 2')) }), mismatch],
  ['a layer whose content is not what the diffID says', () => layout(withConfig({ ...soundConfig, rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } })), mismatch],
  ['an archive whose layer is not what the diffID says', () => archive(tarOf(dockerArchiveFiles(buildImage({ layers: [{ tar: layerOf({ name: 'a', data: 'b' }) }], diffIds: [`sha256:${'0'.repeat(64)}`] }), null))), mismatch],

  // apple/container GHSA-r3h2, CVE-2024-9676: a layout that lends files of the host, or hangs
  ['a blob that is a link to a file of the host', () => layoutWith((path) => symlinkSync(canary, path)), invalidImage],
  ['a blob that is a link within the layout', () => layoutWith((path) => symlinkSync(built.config.digest.slice(7), path)), invalidImage],
  ['a blob that is a directory', () => layoutWith((path) => mkdirSync(path)), invalidImage],
  ['a blob that is a FIFO', () => layoutWith((path) => void execFileSync('mkfifo', [path])), invalidImage],
  ['a blob that is a device', () => layoutWith((path) => void execFileSync('mknod', [path, 'c', '1', '5'])), invalidImage],
  ['an index.json that is a link', () => { const path = writeFiles(place(), without('index.json')); symlinkSync(canary, join(path, 'index.json')); return { kind: 'oci-layout', path }; }, invalidImage],
  ['a blobs directory that is a link', () => { const [path, other] = [writeFiles(place(), { 'oci-layout': sound['oci-layout'] ?? Buffer.alloc(0), 'index.json': sound['index.json'] ?? Buffer.alloc(0) }), writeFiles(place(), sound)]; symlinkSync(join(other, 'blobs'), join(path, 'blobs')); return { kind: 'oci-layout', path }; }, invalidImage],

  // CVE-2023-25153: what is read into memory
  ['an index.json of 5 MiB', () => layout({ ...sound, 'index.json': Buffer.alloc(5 << 20, 0x20) }), overLimit],
  ['an oci-layout of a gigabyte', () => { const path = writeFiles(place(), sound); truncateSync(join(path, 'oci-layout'), 2 ** 30); return { kind: 'oci-layout', path }; }, overLimit],
  ['a manifest.json of 5 MiB', () => archive(tarOf({ 'manifest.json': Buffer.alloc(5 << 20, 0x20) })), overLimit],
  ['a manifest.json of 2 GiB in an archive', () => { const path = place(); const header = tar({ name: 'manifest.json', data: '', size: 2 ** 31 }).subarray(0, 512); writeFileSync(path, header); truncateSync(path, 512 + 2 ** 31 + 1024); return { kind: 'archive', archive: path }; }, overLimit],
  ['a manifest nested 10,000 deep', () => layout(withManifest(`{"schemaVersion":2,"x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`)), invalidImage],
  ['a manifest with 10,000 layers', () => layout(withManifest({ ...soundManifest, layers: Array.from({ length: 10_000 }, () => soundManifest.layers[0]) })), invalidImage],

  // CVE-2026-53493: index graph amplification
  ['indexes nested too deep', () => layout(indexBomb(20, 1)), overLimit],
  ['indexes that multiply', () => layout(indexBomb(5, 30)), overLimit],

  // CVE-2021-41190: one document that can be taken for two
  ['a manifest that is an index as well', () => layout(withManifest({ ...soundManifest, manifests: [] })), invalidImage],
  ['a manifest that calls itself an index', () => layout(withManifest({ ...soundManifest, mediaType: indexType })), invalidImage],
  ['an index that is a manifest as well', () => layout({ ...sound, 'index.json': Buffer.from(JSON.stringify({ ...JSON.parse((sound['index.json'] ?? '').toString()), layers: [], config: {} })) }), invalidImage],

  // CVE-2026-95839: every field of a descriptor
  ...[-1, 1.5, 2 ** 60, '7', null, Number.NaN].map((size): [string, () => ImageSource, string] => [`a layer whose size is ${String(size)}`, () => layout(withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], size }] })), invalidImage]),
  ['a layer of an unknown type', () => layout(withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], mediaType: 'application/x-evil' }] })), invalidImage],
  ['a config that is no image config', () => layout(withManifest({ ...soundManifest, config: { ...soundManifest.config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } })), invalidImage],
  ['a manifest that is not JSON', () => layout(withManifest('{"schemaVersion":2,')), invalidImage],
  ['a manifest that is not UTF-8', () => { const blob = blobOf(Buffer.from([0x22, 0xff, 0x22])); return layout(layoutFiles([{ blob }], [...built.blobs, blob])); }, invalidImage],
  ['a manifest of schema 1', () => layout(withManifest({ ...soundManifest, schemaVersion: 1 })), invalidImage],
  ['a config with a NUL in its command', () => layout(withConfig({ ...soundConfig, config: { Cmd: ['a\0b'] } })), invalidImage],
  ['a config with a number for a user', () => layout(withConfig({ ...soundConfig, config: { User: 0 } })), invalidImage],
  ['a config with another number of layers', () => layout(withConfig({ ...soundConfig, rootfs: { type: 'layers', diff_ids: [] } })), invalidImage],

  // CVE-2014-9358, CVE-2026-50195: names in an archive are names only
  ['an archive whose config is at ../../etc/passwd', () => archive(tarOf({ 'manifest.json': Buffer.from(JSON.stringify([{ Config: '../../../../etc/passwd', RepoTags: null, Layers: [] }])) })), invalidImage],
  ['an archive whose layer is at an absolute path', () => archive(tarOf({ ...dockerArchiveFiles(built, null), 'manifest.json': Buffer.from(JSON.stringify([{ Config: `${built.config.digest.slice(7)}.json`, RepoTags: null, Layers: [canary] }])) })), invalidImage],
  ['an archive with a hostile name', () => archive(tarOf(dockerArchiveFiles(built, ['../../../evil:latest']))), 'HAKO_ERR_INVALID_REFERENCE'],
  ['an archive with a member called ..', () => archive(tar({ name: '../x', data: 'y' }, { name: 'manifest.json', data: '[]' })), invalidArchive],
  ['an archive with an absolute member', () => archive(tar({ name: '/etc/passwd', data: 'y' })), invalidArchive],
  ['an archive with a link out of it', () => archive(tar({ type: '2', name: 'manifest.json', link: '../../../../../etc/passwd' })), invalidArchive],
  ['an archive with an absolute link', () => archive(tar({ type: '2', name: 'manifest.json', link: canary })), invalidArchive],
  ['an archive with links in a circle', () => archive(tar({ type: '2', name: 'manifest.json', link: 'other' }, { type: '2', name: 'other', link: 'manifest.json' })), invalidImage],
  ['an archive with a device', () => archive(tar({ type: '3', name: 'manifest.json', major: 1, minor: 5 })), invalidArchive],
  ['an archive with a member twice', () => archive(tar({ name: 'manifest.json', data: '[]' }, { name: './manifest.json', data: '[]' })), invalidArchive],
  ['an archive that is empty', () => archive(Buffer.alloc(0)), invalidArchive],
  ['an archive of zeros', () => archive(Buffer.alloc(10_240)), invalidImage],
  ['an archive that is text', () => archive(Buffer.from('hello\n'.repeat(1000))), invalidArchive],
  ['an archive cut short in a member', () => archive(tarOf(sound).subarray(0, 700)), invalidArchive],
  ['an archive without its end', () => archive(tarOf(sound).subarray(0, -1024)), invalidArchive],
  ['an archive with a wrong checksum', () => archive(tar({ name: 'oci-layout', data: 'x', badChecksum: true })), invalidArchive],
  ['an archive with a negative size', () => archive(tar({ name: 'x', data: '', patch: (header) => header.fill(0xff, 124, 136) })), invalidArchive],
  ['an archive with a size beyond itself', () => archive(tar({ name: 'x', data: 'y', size: 10n ** 10n })), invalidArchive],
  ['an archive with a size beyond numbers', () => archive(tar({ name: 'x', data: 'y', patch: (header) => header.fill(0x7f, 125, 136).writeUInt8(0x80, 124) })), invalidArchive],
  ['an archive with a PAX size that is none', () => archive(tar({ name: 'x', data: 'y', pax: { size: '-1' } })), invalidArchive],
  ['an archive with a huge PAX header', () => archive(tar({ name: 'x', data: 'y', pax: { comment: 'z'.repeat(2 << 20) } })), overLimit],
  ['an archive with broken PAX records', () => archive(tar({ type: 'x', name: 'x', data: '99999999 path=x\n' })), invalidArchive],
  ['an archive of 100,001 members', () => archive(tar(...Array.from({ length: 100_001 }, (_, index) => ({ name: `f${index}` })))), overLimit],
  ['a gzip that is cut short', () => archive(gzipSync(tarOf(sound)).subarray(0, 100)), invalidArchive],
  ['a zstd that is damaged', () => archive(Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(100, 0xff)])), invalidArchive],

  // CVE-2017-14992: decompression bombs
  ['a gzip bomb', () => archive(gzipSync(Buffer.alloc(300 << 20))), overLimit],
  ['a layer that is a gzip bomb', () => layout(layoutOf(buildImage({ layers: [{ tar: Buffer.concat([tar({ name: 'zeros', data: '' }).subarray(0, 512), Buffer.alloc(300 << 20)]), compression: 'gzip' }] }))), overLimit],

  // CVE-2014-6407 and its like: the layer's own tar
  ['a layer with a file called ..', () => layout(layoutOf(buildImage({ layers: [{ tar: tar({ name: '../../../../../../host-canary', data: 'overwritten' }) }] }))), invalidArchive],
  ['a layer that is no tar', () => layout(layoutOf(buildImage({ layers: [{ tar: Buffer.from('no tar at all'.repeat(100)) }] }))), invalidArchive],
  ['a layer that is cut short', () => layout(layoutOf(buildImage({ layers: [{ tar: layerOf({ name: 'a', data: 'x'.repeat(2000) }).subarray(0, 900) }] }))), invalidArchive],
  ['a layout that is empty', () => layout({ 'oci-layout': Buffer.from('{"imageLayoutVersion":"1.0.0"}'), 'index.json': Buffer.from('{"schemaVersion":2,"manifests":[]}') }), invalidImage],
  ['a layout of a version to come', () => layout({ ...sound, 'oci-layout': Buffer.from('{"imageLayoutVersion":"2.0.0"}') }), invalidImage],
  ['a layout whose layer is not there', () => layout(without(layerName)), invalidImage],
];

describeWith({ root: true, tools: ['mkfifo', 'mknod'] }, 'a hostile image', () => {
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
});
