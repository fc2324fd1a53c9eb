/** Names and links as weapons, other than the breakouts that have a name of their own (catalogue 1D). */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Scratch, unpack } from '../native/support/worker-process.ts';
import { type Attack, type Box, standsAgainst } from '../support/attack.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, hardlink, symlink, type TarEntry, tar } from '../support/tar.ts';

const inside = ({ root, outside }: Box, path: string): string => join(root, path.replace(/^\/outside/, outside));

const attacks: readonly Attack[] = [
  {
    name: 'CVE-2026-26960: a chain of links, each of which looks harmless, then a hard link',
    entries: () => [
      file('outside/etc/passwd', 'inside'),
      directory('a'),
      directory('a/b'),
      symlink('a/b/up', '../..'),
      symlink('escape', 'a/b/up/../outside/etc'),
      hardlink('stolen', 'escape/passwd'),
      file('stolen', 'overwritten'),
    ],
    check: (box) => expect(readFileSync(inside(box, 'outside/etc/passwd'), 'utf8')).toBe('inside'),
  },
  {
    name: 'CVE-2025-11395, CVE-2026-17106: a file through a link that was made before',
    entries: ({ outside }) => [symlink('x', outside), file('x/etc/passwd', 'overwritten')],
    check: (box) => expect(readFileSync(inside(box, '/outside/etc/passwd'), 'utf8')).toBe('overwritten'),
  },
  {
    name: 'GHSA-w26x-xg27-7qjc: an attribute of a link is set on what it leads to',
    entries: ({ outside }) => [
      symlink('link', `${outside}/etc/passwd`, { pax: { 'SCHILY.xattr.user.planted': 'yes' } }),
      directory('there'),
      symlink('there/way', `${outside}/etc`, { pax: { 'SCHILY.xattr.user.planted': 'yes' } }),
    ],
  },
  { name: '".." in front', entries: () => [file('../outside/etc/new', 'x')], refused: /leads out of the tree/ },
  {
    name: '".." in the middle',
    entries: () => [directory('a'), file('a/../../outside/etc/new', 'x')],
    refused: /leads out of the tree/,
  },
  {
    name: '".." behind a slash',
    entries: () => [file('a//..//../outside/etc/new', 'x')],
    refused: /leads out of the tree/,
  },
  {
    name: 'an absolute name',
    entries: ({ outside }) => [file(`${outside}/etc/passwd`, 'overwritten')],
    check: (box) => expect(readFileSync(inside(box, '/outside/etc/passwd'), 'utf8')).toBe('overwritten'),
  },
  {
    name: 'a PAX path that overrides a harmless name',
    entries: () => [file('harmless', 'x', { pax: { path: '../outside/etc/new' } })],
    refused: /leads out of the tree/,
  },
  {
    name: 'a GNU long name that overrides a harmless one',
    entries: () => [file('harmless', 'x', { gnuLongName: '../outside/etc/new' })],
    refused: /leads out of the tree/,
  },
  {
    name: 'a NUL behind a name that escapes',
    entries: () => [file('harmless', 'x', { pax: { path: '../outside/etc/new\0.txt' } })],
    refused: /NUL in a name/,
  },
  {
    name: 'a NUL in a GNU long name',
    entries: () => [file('harmless', 'x', { gnuLongName: '../outside/etc/new\0.txt' })],
    refused: /NUL in a name/,
  },
  {
    name: 'a directory entry whose mode is set through a link',
    entries: ({ outside }) => [symlink('d', outside), directory('d', 0o000)],
    check: ({ root }) => expect(lstatSync(join(root, 'd')).isDirectory()).toBe(true),
  },
  {
    name: 'a file entry in place of a link to a file',
    entries: ({ outside }) => [
      symlink('f', `${outside}/etc/passwd`),
      file('f', 'overwritten', { mode: 0o666, uid: 7 }),
    ],
    check: ({ root }) => expect(lstatSync(join(root, 'f')).isFile()).toBe(true),
  },
  {
    name: 'a symlink loop is an error, not a hang',
    entries: () => [symlink('a', 'b'), symlink('b', 'a'), file('a/f', 'x'), file('../outside/etc/new')],
    refused: /too long a way/,
  },
];

/** Refused or taken as they are; there is nothing outside that they could reach. */
const refusals: readonly (readonly [name: string, entries: readonly TarEntry[], why: RegExp])[] = [
  ['the root as a file', [file('./', 'x')], /.*/],
  ['the root as a symlink', [symlink('.', '/etc')], /the root of the tree is not a directory/],
  ['the root as a hard link', [hardlink('/', 'x')], /the root of the tree is not a directory/],
  [
    'a component of 256 bytes (GHSA-697p)',
    [file('x', '', { pax: { path: `a/${'n'.repeat(256)}` } })],
    /over 255 bytes/,
  ],
  [
    'a name of over 4,095 bytes',
    [file('x', '', { pax: { path: `${'n'.repeat(200)}/`.repeat(21) } })],
    /over 4,095 bytes/,
  ],
  [
    'a symlink target of over 4,095 bytes',
    [symlink('x', '', { pax: { linkpath: 't/'.repeat(2100) } })],
    /target is empty or over/,
  ],
  ['an empty symlink target', [symlink('x', '')], /target is empty or over/],
  ['a hard link to nothing', [hardlink('x', 'y')], /what is not there/],
  ['a hard link to a directory', [directory('d'), hardlink('x', 'd')], /can't be linked to/],
  ['a hard link to the root', [hardlink('x', '/')], /not there/],
  ['entries below a file', [file('f'), file('f/g')], /is not a directory/],
  ['two names: GNU and PAX', [file('x', '', { gnuLongName: 'a', pax: { path: 'b' } })], /two names/],
  [
    'an extended attribute with an overlong name (GHSA-g3rx)',
    [file('x', '', { pax: { [`SCHILY.xattr.user.${'n'.repeat(255)}`]: 'v' } })],
    /attribute's name/,
  ],
  ['an extended attribute with no name', [file('x', '', { pax: { 'SCHILY.xattr.': 'v' } })], /attribute's name/],
  ['a user id of -1', [file('x', '', { pax: { uid: '4294967295' } })], /id is out of range/],
  ['a user id beyond 32 bits', [file('x', '', { uid: 2 ** 32 })], /id is out of range/],
];

describeWith({ root: true, tools: ['setfattr'] }, 'names and links', () => {
  test.each(attacks)('$name', standsAgainst);

  test.each(refusals.slice(1))('refused: %s', async (_name, entries, why) => {
    using scratch = new Scratch();
    // The control: without the entry in question the archive is a sound one.
    await unpack(tar(file('sound')), scratch.path);
    await expect(unpack(tar(...entries), scratch.path)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_ARCHIVE',
      message: expect.stringMatching(why),
    });
  });

  test('a file whose name is the root becomes a directory entry, as in every reader', async () => {
    using scratch = new Scratch();
    await unpack(tar(file('./', '', { mode: 0o711 })), scratch.path);
    expect(lstatSync(scratch.path).mode & 0o7777).toBe(0o711);
  });

  test('a link to itself, and one made twice, stay', async () => {
    using scratch = new Scratch();
    await unpack(tar(file('a', 'x'), hardlink('a', 'a'), hardlink('b', 'a'), hardlink('b', 'a')), scratch.path);
    expect(readFileSync(join(scratch.path, 'b'), 'utf8')).toBe('x');
    expect(lstatSync(join(scratch.path, 'a')).nlink).toBe(2);
  });

  test('names that are not UTF-8 are kept byte for byte', async () => {
    using scratch = new Scratch();
    const name = Buffer.from([0xff, 0xfe, 0x2e, 0x80]);
    await unpack(tar(file(name, 'x')), scratch.path);
    expect(readdirSync(scratch.path, { encoding: 'buffer' })).toEqual([name]);
  });

  test('a link in a layer below leads where the container would follow it', async () => {
    using scratch = new Scratch();
    await unpack(
      tar(
        directory('usr'),
        directory('usr/bin'),
        symlink('bin', 'usr/bin'),
        symlink('var', '/'),
        file('bin/tool', 'x'),
        file('var/var/usr/bin/other', 'y'),
      ),
      scratch.path,
    );
    expect(readlinkSync(join(scratch.path, 'bin'))).toBe('usr/bin');
    expect(readdirSync(join(scratch.path, 'usr/bin'))).toEqual(['other', 'tool']);
  });

  test('ways that forty links full of ".." make long end soon', async () => {
    using scratch = new Scratch();
    const links = Array.from({ length: 39 }, (_, index) =>
      symlink(`l${index}`, '', { pax: { linkpath: `${'d/../'.repeat(800)}l${index + 1}` } }),
    );
    const before = performance.now();
    await expect(
      unpack(
        tar(
          directory('d'),
          ...links,
          symlink('l39', 'missing'),
          ...Array.from({ length: 50 }, (_, index) => file(`l0/f${index}`)),
        ),
        scratch.path,
      ),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' });
    expect(performance.now() - before).toBeLessThan(5000);
  });
});
