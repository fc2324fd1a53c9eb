/** Bombs and damage: a clear failure that says where, in bounded time, memory and disk (catalogue 1D; CVE-2017-14992). */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { ArchiveLimits } from '../../src/native/worker.ts';
import { plainRequest, Scratch, unpack, workerThrough } from '../native/support/worker-process.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, padded, paxHeader, rawBlock, symlink, tar, tarEntry, tarOf } from '../support/tar.ts';

const end = Buffer.alloc(1024);

/** Each is over one limit only; without that limit (the control) it is a sound archive. */
const bombs: readonly (readonly [name: string, archive: () => Buffer, limit: Partial<ArchiveLimits>])[] = [
  ['more bytes than allowed', () => tar(file('f', Buffer.alloc(100_000, 'x'))), { archiveBytes: 50_000 }],
  [
    'padding without end behind the last entry (CVE-2017-14992)',
    () => Buffer.concat([tar(file('f')), Buffer.alloc(200_000)]),
    { archiveBytes: 100_000 },
  ],
  [
    'more entries than allowed',
    () => tarOf(Array.from({ length: 101 }, (_, index) => file(`f${index}`))),
    { entries: 100 },
  ],
  ['a name that is too deep', () => tar(file('x', '', { pax: { path: `${'d/'.repeat(300)}f` } })), { pathDepth: 256 }],
  [
    'a sparse file of 8 EiB that is a kilobyte',
    () => tar({ name: 'f', data: 'x', pax: { 'GNU.sparse.size': '1000000000', 'GNU.sparse.map': '999999999,1' } }),
    { fileBytes: 2 ** 20 },
  ],
  [
    'an extended header that is too large',
    () => tar(file('x', '', { pax: { comment: 'c'.repeat(100_000) } })),
    { headerBytes: 65_536 },
  ],
  [
    'a GNU long name that is too large',
    () =>
      Buffer.concat([rawBlock('L', Buffer.from(`${'n'.repeat(200)}${'\0'.repeat(70_000)}`)), tarEntry(file('x')), end]),
    { headerBytes: 65_536 },
  ],
  [
    'too many bytes of attributes',
    () => tar(file('x', '', { pax: { 'SCHILY.xattr.user.a': 'v'.repeat(3000) } })),
    { xattrBytes: 2048 },
  ],
  [
    'attributes in many headers that add up',
    () =>
      Buffer.concat([
        ...Array.from({ length: 10 }, () => paxHeader('x', { 'SCHILY.xattr.user.a': 'v'.repeat(300) })),
        tarEntry(file('x')),
        end,
      ]),
    { xattrBytes: 2048 },
  ],
];

const sparse = (pax: Record<string, string>, data = 'abcd') => tar({ name: 'f', data, pax });
const header10 = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '4096' };
const map10 = (text: string) => Buffer.concat([Buffer.from(text.padEnd(512, '\0')), Buffer.from('abcd')]);

const damaged: readonly (readonly [name: string, archive: () => Buffer, why: RegExp])[] = [
  ['something else than tar', () => Buffer.from('this is not a tar archive '.repeat(100)), /checksum is wrong.*byte 0/],
  ['a wrong checksum', () => tar(file('a'), file('b', '', { badChecksum: true })), /checksum is wrong.*byte 512/],
  ['an end in the middle of a header', () => tar(file('a')).subarray(0, 300), /ends too early/],
  ['an end in the middle of data', () => tar(file('a', Buffer.alloc(2000, 'x'))).subarray(0, 1200), /ends too early/],
  ['an end behind an extended header', () => paxHeader('x', { path: 'a' }), /ends too early/],
  [
    'an extended header with nothing after it',
    () => Buffer.concat([paxHeader('x', { path: 'a' }), end]),
    /no entry after it/,
  ],
  [
    'a single block of zeros between entries',
    () => Buffer.concat([tarEntry(file('a')), Buffer.alloc(512), tarEntry(file('b'))]),
    /one block of zeros/,
  ],
  ['a negative size', () => tar(file('a', '', { size: -1n })), /size is negative/],
  ['a size beyond 63 bits', () => tar(file('a', '', { size: 2n ** 70n })), /number in the header is malformed/],
  [
    'a PAX size beyond 63 bits',
    () => tar(file('a', '', { pax: { size: '9223372036854775808' } })),
    /size is out of range/,
  ],
  [
    'letters where digits belong',
    () => tar(file('a', '', { patch: (block) => void block.write('zzzzzzz', 100) })),
    /number in the header/,
  ],
  ['an unknown type', () => tar({ type: 'M', name: 'a' }), /unknown type 'M'/],
  [
    'a PAX record that is longer than its header',
    () => Buffer.concat([rawBlock('x', Buffer.from('99 path=a\n')), tarEntry(file('x')), end]),
    /PAX record is malformed/,
  ],
  [
    'a PAX record with no newline',
    () => Buffer.concat([rawBlock('x', Buffer.from('9 path=ab')), tarEntry(file('x')), end]),
    /PAX record is malformed/,
  ],
  [
    'a PAX record with no key',
    () => Buffer.concat([rawBlock('x', Buffer.from('5 =a\n')), tarEntry(file('x')), end]),
    /PAX record is malformed/,
  ],
  [
    'a PAX record of length 0',
    () => Buffer.concat([rawBlock('x', Buffer.from('0 path=a\n')), tarEntry(file('x')), end]),
    /PAX record is malformed/,
  ],
  ['an mtime that is no time', () => tar(file('a', '', { pax: { mtime: 'yesterday' } })), /mtime is not a time/],
  [
    'a global header that names every entry',
    () => Buffer.concat([paxHeader('g', { path: 'same' }), tarEntry(file('a')), end]),
    /global PAX header/,
  ],
  [
    'a global header with attributes',
    () => Buffer.concat([paxHeader('g', { 'SCHILY.xattr.user.a': 'b' }), tarEntry(file('a')), end]),
    /global PAX header/,
  ],
  [
    'a sparse map that goes back',
    () => sparse({ 'GNU.sparse.size': '4096', 'GNU.sparse.map': '1024,2,0,2' }),
    /doesn't fit its file/,
  ],
  [
    'a sparse map that overlaps',
    () => sparse({ 'GNU.sparse.size': '4096', 'GNU.sparse.map': '0,3,2,1' }),
    /doesn't fit its file/,
  ],
  [
    'a sparse map past the end',
    () => sparse({ 'GNU.sparse.size': '4', 'GNU.sparse.map': '0,2,4,2' }),
    /doesn't fit its file/,
  ],
  [
    'a sparse map whose end overflows',
    () => sparse({ 'GNU.sparse.size': '4096', 'GNU.sparse.map': '18446744073709551615,4' }),
    /doesn't fit its file/,
  ],
  [
    'a sparse map for more data than there is',
    () => sparse({ 'GNU.sparse.size': '4096', 'GNU.sparse.map': '0,5' }),
    /doesn't fit its file/,
  ],
  [
    'a sparse map with half a pair',
    () => sparse({ 'GNU.sparse.size': '4096', 'GNU.sparse.map': '0,2,3' }),
    /not a list of pairs/,
  ],
  ['a sparse file with no map', () => sparse({ 'GNU.sparse.size': '4096' }), /incomplete or unknown sparse/],
  [
    'a sparse format of the future',
    () => sparse({ ...header10, 'GNU.sparse.major': '2' }),
    /incomplete or unknown sparse/,
  ],
  [
    'a 1.0 map that is no numbers',
    () => tar({ name: 'f', data: map10('2\nx\n'), pax: header10 }),
    /sparse map is malformed/,
  ],
  [
    'a 1.0 map of a million and more extents',
    () => tar({ name: 'f', data: map10('1048577\n'), pax: header10 }),
    /1,048,576 extents/,
  ],
  [
    'a 1.0 map that is longer than its file',
    () => tar({ name: 'f', data: map10('100\n1\n').subarray(0, 512), pax: header10 }),
    /sparse map is/,
  ],
];

describeWith({ root: true }, 'bombs and damage', () => {
  test.each(bombs)('over the limit: %s', async (_name, archive, limits) => {
    using scratch = new Scratch();
    using control = new Scratch();
    await expect(unpack(archive(), scratch.path, { limits })).rejects.toMatchObject({
      code: 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED',
      kind: 'resource_exhausted',
    });
    await unpack(archive(), control.path, { limits: { pathDepth: 1000 } });
  });

  test.each(damaged)('malformed: %s', async (_name, archive, why) => {
    using scratch = new Scratch();
    const code = why.source.includes('1,048,576 extents')
      ? 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED'
      : 'HAKO_ERR_INVALID_ARCHIVE';
    await expect(unpack(archive(), scratch.path)).rejects.toMatchObject({ code, message: expect.stringMatching(why) });
  });

  test('an archive without the two blocks of zeros, without the last padding, and one of no bytes, are whole', async () => {
    using scratch = new Scratch();
    await unpack(tarEntry(file('a', 'x')), scratch.path);
    await unpack(tarEntry(file('b', 'x')).subarray(0, 513), scratch.path); // as `umoci insert` makes them
    expect(await unpack(Buffer.alloc(0), scratch.path)).toMatchObject({ entries: 0 });
    expect(readdirSync(scratch.path)).toEqual(['a', 'b']);
  });

  test('a sparse file of 8 EiB is refused by the default limits, and makes no file that large', async () => {
    using scratch = new Scratch();
    const size = 2n ** 63n - 1n;
    await expect(
      unpack(
        tar({ name: 'f', data: 'x', pax: { 'GNU.sparse.size': String(size), 'GNU.sparse.map': `${size - 1n},1` } }),
        scratch.path,
      ),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED' });
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('a gigabyte of zeros takes no disk', async () => {
    using scratch = new Scratch();
    const zeros = Buffer.alloc(1 << 20);
    const size = 1024 * zeros.length;
    function* archive(): Generator<Buffer> {
      yield tarEntry({ name: 'zeros', size });
      for (let i = 0; i < 1024; i++) yield zeros;
      yield end;
    }
    const result = await workerThrough().unpack(plainRequest(scratch.path), Readable.from(archive()));
    expect(result.bytesWritten).toBe(0);
    const status = statSync(join(scratch.path, 'zeros'));
    expect(status.size).toBe(size);
    expect(status.blocks).toBeLessThan(100);
  });

  test('a million empty files end at the limit of entries', async () => {
    using scratch = new Scratch('/dev/shm');
    const one = tarEntry(file('same'));
    function* archive(): Generator<Buffer> {
      for (let i = 0; i < 1000; i++) yield Buffer.alloc(one.length * 1000, one);
    }
    await expect(
      workerThrough().unpack(plainRequest(scratch.path, { limits: { entries: 20_000 } }), Readable.from(archive())),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED' });
  });

  test('a full disk is named as such', async () => {
    using scratch = new Scratch();
    const small = join(scratch.path, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    try {
      await expect(unpack(tar(file('f', Buffer.alloc(2 << 20, 'x'))), small)).rejects.toMatchObject({
        code: 'HAKO_ERR_SYSCALL_FAILED',
        errno: 'ENOSPC',
        path: 'f',
        message: expect.stringContaining('Free some space'),
      });
    } finally {
      execFileSync('umount', [small]);
    }
  });

  test('a failing source is what is reported, not the archive that it cuts off', async () => {
    using scratch = new Scratch();
    async function* archive(): AsyncGenerator<Buffer> {
      yield tar(directory('d'), symlink('l', 'd'));
      yield padded(Buffer.from(''));
      throw new Error('digest mismatch');
    }
    await expect(workerThrough().unpack(plainRequest(scratch.path), Readable.from(archive()))).rejects.toThrow(
      'digest mismatch',
    );
  });

  test('an abort kills the worker and gives its reason', async () => {
    using scratch = new Scratch();
    const controller = new AbortController();
    async function* archive(): AsyncGenerator<Buffer> {
      yield tarEntry({ name: 'f', size: 1 << 30 });
      controller.abort(new Error('enough'));
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        yield Buffer.alloc(1000, 'x');
      }
    }
    await expect(
      workerThrough().unpack(plainRequest(scratch.path), Readable.from(archive()), { signal: controller.signal }),
    ).rejects.toThrow('enough');
  });
});
