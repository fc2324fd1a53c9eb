import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ImageSource } from '../../src/image/import-source.ts';
import {
  archive,
  built,
  canary,
  indexBomb,
  invalidImage,
  layerName,
  layout,
  layoutWith,
  mismatch,
  overLimit,
  place,
  type Refusal,
  refuses,
  scratch,
  sound,
  soundConfig,
  soundManifest,
  withConfig,
  withManifest,
  without,
} from '../support/hostile-image.ts';
import {
  blobOf,
  buildImage,
  dockerArchiveFiles,
  indexType,
  layerOf,
  layoutFiles,
  tarOf,
  writeFiles,
} from '../support/image-fixtures.ts';
import { describeWith } from '../support/requires.ts';
import { tar } from '../support/tar.ts';

const cases: readonly Refusal[] = [
  // CVE-2024-3727: the digest is a path, or not what the content has
  ...[
    'sha256:../../x',
    'sha256:abc',
    `sha256:${'A'.repeat(64)}`,
    `md5:${'a'.repeat(32)}`,
    `sha256:${'a'.repeat(63)}\n`,
    '',
    `sha256:${'a'.repeat(10_000)}`,
  ].map((digest): [string, () => ImageSource, string] => [
    `CVE-2024-3727: a layer whose digest is ${JSON.stringify(digest.slice(0, 30))}`,
    () => layout(withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], digest }] })),
    invalidImage,
  ]),
  [
    'a layer with other bytes of the right length',
    () => layout({ ...sound, [layerName]: Buffer.alloc(built.layers[0]?.size ?? 0, 7) }),
    mismatch,
  ],
  [
    'a layer that is cut short',
    () => layout({ ...sound, [layerName]: (sound[layerName] ?? Buffer.alloc(0)).subarray(0, 20) }),
    mismatch,
  ],
  [
    'a layer that goes on',
    () => layout({ ...sound, [layerName]: Buffer.concat([sound[layerName] ?? Buffer.alloc(0), Buffer.from('more')]) }),
    mismatch,
  ],
  [
    'a manifest with other bytes',
    () =>
      layout({
        ...sound,
        [`blobs/sha256/${built.manifest.digest.slice(7)}`]: Buffer.from(
          built.manifest.content.toString().replace('"schemaVersion":2', '"schemaVersion": 2'),
        ),
      }),
    mismatch,
  ],
  [
    'a layer whose content is not what the diffID says',
    () => layout(withConfig({ ...soundConfig, rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } })),
    mismatch,
  ],
  [
    'an archive whose layer is not what the diffID says',
    () =>
      archive(
        tarOf(
          dockerArchiveFiles(
            buildImage({ layers: [{ tar: layerOf({ name: 'a', data: 'b' }) }], diffIds: [`sha256:${'0'.repeat(64)}`] }),
            null,
          ),
        ),
      ),
    mismatch,
  ],

  // apple/container GHSA-r3h2, CVE-2024-9676: a layout that lends files of the host, or hangs
  [
    'GHSA-r3h2: a blob that is a link to a file of the host',
    () => layoutWith((path) => symlinkSync(canary, path)),
    invalidImage,
  ],
  [
    'a blob that is a link within the layout',
    () => layoutWith((path) => symlinkSync(built.config.digest.slice(7), path)),
    invalidImage,
  ],
  ['a blob that is a directory', () => layoutWith((path) => mkdirSync(path)), invalidImage],
  ['a blob that is a FIFO', () => layoutWith((path) => void execFileSync('mkfifo', [path])), invalidImage],
  [
    'a blob that is a device',
    () => layoutWith((path) => void execFileSync('mknod', [path, 'c', '1', '5'])),
    invalidImage,
  ],
  [
    'an index.json that is a link',
    () => {
      const path = writeFiles(place(), without('index.json'));
      symlinkSync(canary, join(path, 'index.json'));
      return { kind: 'oci-layout', path };
    },
    invalidImage,
  ],
  [
    'a blobs directory that is a link',
    () => {
      const [path, other] = [
        writeFiles(place(), {
          'oci-layout': sound['oci-layout'] ?? Buffer.alloc(0),
          'index.json': sound['index.json'] ?? Buffer.alloc(0),
        }),
        writeFiles(place(), sound),
      ];
      symlinkSync(join(other, 'blobs'), join(path, 'blobs'));
      return { kind: 'oci-layout', path };
    },
    invalidImage,
  ],

  // CVE-2023-25153: what is read into memory
  [
    'CVE-2023-25153: an index.json of 5 MiB',
    () => layout({ ...sound, 'index.json': Buffer.alloc(5 << 20, 0x20) }),
    overLimit,
  ],
  [
    'an oci-layout of a gigabyte',
    () => {
      const path = writeFiles(place(), sound);
      truncateSync(join(path, 'oci-layout'), 2 ** 30);
      return { kind: 'oci-layout', path };
    },
    overLimit,
  ],
  ['a manifest.json of 5 MiB', () => archive(tarOf({ 'manifest.json': Buffer.alloc(5 << 20, 0x20) })), overLimit],
  [
    'a manifest.json of 2 GiB in an archive',
    () => {
      const path = place();
      const header = tar({ name: 'manifest.json', data: '', size: 2 ** 31 }).subarray(0, 512);
      writeFileSync(path, header);
      truncateSync(path, 512 + 2 ** 31 + 1024);
      return { kind: 'archive', archive: path };
    },
    overLimit,
  ],
  [
    'a manifest nested 10,000 deep',
    () => layout(withManifest(`{"schemaVersion":2,"x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`)),
    invalidImage,
  ],
  [
    'a manifest with 10,000 layers',
    () =>
      layout(withManifest({ ...soundManifest, layers: Array.from({ length: 10_000 }, () => soundManifest.layers[0]) })),
    invalidImage,
  ],

  // CVE-2026-53493: index graph amplification
  ['CVE-2026-53493: indexes nested too deep', () => layout(indexBomb(20, 1)), overLimit],
  ['indexes that multiply', () => layout(indexBomb(5, 30)), overLimit],

  // CVE-2021-41190: one document that can be taken for two
  [
    'CVE-2021-41190: a manifest that is an index as well',
    () => layout(withManifest({ ...soundManifest, manifests: [] })),
    invalidImage,
  ],
  [
    'a manifest that calls itself an index',
    () => layout(withManifest({ ...soundManifest, mediaType: indexType })),
    invalidImage,
  ],
  [
    'an index that is a manifest as well',
    () =>
      layout({
        ...sound,
        'index.json': Buffer.from(
          JSON.stringify({ ...JSON.parse((sound['index.json'] ?? '').toString()), layers: [], config: {} }),
        ),
      }),
    invalidImage,
  ],

  // CVE-2026-95839: every field of a descriptor
  ...[-1, 1.5, 2 ** 60, '7', null, Number.NaN].map((size): [string, () => ImageSource, string] => [
    `CVE-2026-95839: a layer whose size is ${String(size)}`,
    () => layout(withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], size }] })),
    invalidImage,
  ]),
  [
    'a layer of an unknown type',
    () =>
      layout(
        withManifest({ ...soundManifest, layers: [{ ...soundManifest.layers[0], mediaType: 'application/x-evil' }] }),
      ),
    invalidImage,
  ],
  [
    'a config that is no image config',
    () =>
      layout(
        withManifest({
          ...soundManifest,
          config: { ...soundManifest.config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
        }),
      ),
    invalidImage,
  ],
  ['a manifest that is not JSON', () => layout(withManifest('{"schemaVersion":2,')), invalidImage],
  [
    'a manifest that is not UTF-8',
    () => {
      const blob = blobOf(Buffer.from([0x22, 0xff, 0x22]));
      return layout(layoutFiles([{ blob }], [...built.blobs, blob]));
    },
    invalidImage,
  ],
  ['a manifest of schema 1', () => layout(withManifest({ ...soundManifest, schemaVersion: 1 })), invalidImage],
  [
    'a config with a NUL in its command',
    () => layout(withConfig({ ...soundConfig, config: { Cmd: ['a\0b'] } })),
    invalidImage,
  ],
  [
    'a config with a number for a user',
    () => layout(withConfig({ ...soundConfig, config: { User: 0 } })),
    invalidImage,
  ],
  [
    'a config with another number of layers',
    () => layout(withConfig({ ...soundConfig, rootfs: { type: 'layers', diff_ids: [] } })),
    invalidImage,
  ],
];

describeWith({ root: true, tools: ['mkfifo', 'mknod'] }, 'a hostile image layout', () => {
  it('gives a file of the host to a reader that joins paths and follows links (positive control)', () => {
    const read = (path: string, digest: string) => readFileSync(join(path, 'blobs', digest.replace(':', '/')), 'utf8');
    const linked = layoutWith((path) => symlinkSync(canary, path));
    if (linked.kind !== 'oci-layout') throw new Error('not a layout');
    expect(read(linked.path, `sha256:${layerName.slice('blobs/sha256/'.length)}`)).toBe('host secret');
    expect(read(join(scratch, '0'), `sha256:../../../${canary.slice(scratch.length + 1)}`)).toBe('host secret');
  });

  refuses(cases);
});
