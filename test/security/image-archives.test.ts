import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import {
  archive,
  built,
  canary,
  invalidArchive,
  invalidImage,
  layerName,
  layout,
  overLimit,
  place,
  type Refusal,
  refuses,
  sound,
  without,
} from '../support/hostile-image.ts';
import { buildImage, dockerArchiveFiles, layerOf, layoutOf, tarOf } from '../support/image-fixtures.ts';
import { extractNaively } from '../support/naive-extractor.ts';
import { describeWith } from '../support/requires.ts';
import { tar } from '../support/tar.ts';

const cases: readonly Refusal[] = [
  // CVE-2014-9358, CVE-2026-50195: names in an archive are names only
  [
    'CVE-2014-9358, CVE-2026-50195: an archive whose config is at ../../etc/passwd',
    () =>
      archive(
        tarOf({
          'manifest.json': Buffer.from(
            JSON.stringify([{ Config: '../../../../etc/passwd', RepoTags: null, Layers: [] }]),
          ),
        }),
      ),
    invalidImage,
  ],
  [
    'an archive whose layer is at an absolute path',
    () =>
      archive(
        tarOf({
          ...dockerArchiveFiles(built, null),
          'manifest.json': Buffer.from(
            JSON.stringify([{ Config: `${built.config.digest.slice(7)}.json`, RepoTags: null, Layers: [canary] }]),
          ),
        }),
      ),
    invalidImage,
  ],
  [
    'an archive with a hostile name',
    () => archive(tarOf(dockerArchiveFiles(built, ['../../../evil:latest']))),
    'HAKO_ERR_INVALID_REFERENCE',
  ],
  [
    'an archive with a member called ..',
    () => archive(tar({ name: '../x', data: 'y' }, { name: 'manifest.json', data: '[]' })),
    invalidArchive,
  ],
  ['an archive with an absolute member', () => archive(tar({ name: '/etc/passwd', data: 'y' })), invalidArchive],
  [
    'an archive with a link out of it',
    () => archive(tar({ type: '2', name: 'manifest.json', link: '../../../../../etc/passwd' })),
    invalidArchive,
  ],
  [
    'an archive with an absolute link',
    () => archive(tar({ type: '2', name: 'manifest.json', link: canary })),
    invalidArchive,
  ],
  [
    'an archive with links in a circle',
    () =>
      archive(
        tar({ type: '2', name: 'manifest.json', link: 'other' }, { type: '2', name: 'other', link: 'manifest.json' }),
      ),
    invalidImage,
  ],
  [
    'an archive with a device',
    () => archive(tar({ type: '3', name: 'manifest.json', major: 1, minor: 5 })),
    invalidArchive,
  ],
  [
    'an archive with a member twice',
    () => archive(tar({ name: 'manifest.json', data: '[]' }, { name: './manifest.json', data: '[]' })),
    invalidArchive,
  ],
  ['an archive that is empty', () => archive(Buffer.alloc(0)), invalidArchive],
  ['an archive of zeros', () => archive(Buffer.alloc(10_240)), invalidImage],
  ['an archive that is text', () => archive(Buffer.from('hello\n'.repeat(1000))), invalidArchive],
  ['an archive cut short in a member', () => archive(tarOf(sound).subarray(0, 700)), invalidArchive],
  ['an archive without its end', () => archive(tarOf(sound).subarray(0, -1024)), invalidArchive],
  [
    'an archive with a wrong checksum',
    () => archive(tar({ name: 'oci-layout', data: 'x', badChecksum: true })),
    invalidArchive,
  ],
  [
    'an archive with a negative size',
    () => archive(tar({ name: 'x', data: '', patch: (header) => header.fill(0xff, 124, 136) })),
    invalidArchive,
  ],
  [
    'an archive with a size beyond itself',
    () => archive(tar({ name: 'x', data: 'y', size: 10n ** 10n })),
    invalidArchive,
  ],
  [
    'an archive with a size beyond numbers',
    () => archive(tar({ name: 'x', data: 'y', patch: (header) => header.fill(0x7f, 125, 136).writeUInt8(0x80, 124) })),
    invalidArchive,
  ],
  [
    'an archive with a PAX size that is none',
    () => archive(tar({ name: 'x', data: 'y', pax: { size: '-1' } })),
    invalidArchive,
  ],
  [
    'an archive with a huge PAX header',
    () => archive(tar({ name: 'x', data: 'y', pax: { comment: 'z'.repeat(2 << 20) } })),
    overLimit,
  ],
  [
    'an archive with broken PAX records',
    () => archive(tar({ type: 'x', name: 'x', data: '99999999 path=x\n' })),
    invalidArchive,
  ],
  [
    'an archive of 100,001 members',
    () => archive(tar(...Array.from({ length: 100_001 }, (_, index) => ({ name: `f${index}` })))),
    overLimit,
  ],
  ['a gzip that is cut short', () => archive(gzipSync(tarOf(sound)).subarray(0, 100)), invalidArchive],
  [
    'a zstd that is damaged',
    () => archive(Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(100, 0xff)])),
    invalidArchive,
  ],

  // CVE-2017-14992: decompression bombs
  ['a gzip bomb', () => archive(gzipSync(Buffer.alloc(300 << 20))), overLimit],
  [
    'a layer that is a gzip bomb',
    () =>
      layout(
        layoutOf(
          buildImage({
            layers: [
              {
                tar: Buffer.concat([tar({ name: 'zeros', data: '' }).subarray(0, 512), Buffer.alloc(300 << 20)]),
                compression: 'gzip',
              },
            ],
          }),
        ),
      ),
    overLimit,
  ],

  // CVE-2014-6407 and its like: the layer's own tar
  [
    'CVE-2014-6407: a layer with a file called ..',
    () =>
      layout(
        layoutOf(
          buildImage({ layers: [{ tar: tar({ name: '../../../../../../host-canary', data: 'overwritten' }) }] }),
        ),
      ),
    invalidArchive,
  ],
  [
    'a layer that is no tar',
    () => layout(layoutOf(buildImage({ layers: [{ tar: Buffer.from('no tar at all'.repeat(100)) }] }))),
    invalidArchive,
  ],
  [
    'a layer that is cut short',
    () =>
      layout(
        layoutOf(buildImage({ layers: [{ tar: layerOf({ name: 'a', data: 'x'.repeat(2000) }).subarray(0, 900) }] })),
      ),
    invalidArchive,
  ],
  [
    'a layout that is empty',
    () =>
      layout({
        'oci-layout': Buffer.from('{"imageLayoutVersion":"1.0.0"}'),
        'index.json': Buffer.from('{"schemaVersion":2,"manifests":[]}'),
      }),
    invalidImage,
  ],
  [
    'a layout of a version to come',
    () => layout({ ...sound, 'oci-layout': Buffer.from('{"imageLayoutVersion":"2.0.0"}') }),
    invalidImage,
  ],
  ['a layout whose layer is not there', () => layout(without(layerName)), invalidImage],
];

describeWith({ root: true }, 'a hostile archive', () => {
  it('writes outside of where it is put by an extractor that joins paths (positive control)', () => {
    const target = place();
    mkdirSync(target);
    extractNaively(target, [{ name: '../escaped', data: 'out' }]);
    expect(readFileSync(join(target, '..', 'escaped'), 'utf8')).toBe('out');
  });

  refuses(cases);
});
