// Writes the seeds of the fuzz target `tar` into a directory: small archives, one for each form that the reader knows,
// so that the fuzzer need not discover formats by itself. Run by a node that reads TypeScript (the one of devDependencies).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  device,
  directory,
  file,
  hardlink,
  paxHeader,
  rawBlock,
  symlink,
  tar,
  tarEntry,
} from '../../test/support/tar.ts';

const end = Buffer.alloc(1024);

/** An old GNU sparse header: four extents in it, `more` in blocks behind it. */
function oldSparse(extents, realSize, data) {
  const put = (block, at, [offset, length]) => {
    block.write(`${offset.toString(8).padStart(11, '0')}\0${length.toString(8).padStart(11, '0')}\0`, at, 'latin1');
  };
  const rest = extents.slice(4);
  const head = tarEntry({
    type: 'S',
    name: 'sparse',
    format: 'gnu',
    size: data.length,
    patch: (block) => {
      extents.slice(0, 4).forEach((extent, index) => {
        put(block, 386 + index * 24, extent);
      });
      block[482] = rest.length > 0 ? 1 : 0;
      block.write(`${realSize.toString(8).padStart(11, '0')}\0`, 483, 'latin1');
    },
  });
  const blocks = [];
  for (let i = 0; i < rest.length; i += 21) {
    const block = Buffer.alloc(512);
    rest.slice(i, i + 21).forEach((extent, index) => {
      put(block, index * 24, extent);
    });
    block[504] = rest.length > i + 21 ? 1 : 0;
    blocks.push(block);
  }
  return Buffer.concat([head, ...blocks, data, Buffer.alloc(-data.length & 511)]);
}

const pairs = (count) => Array.from({ length: count }, (_, index) => [index * 1024, 1]);

const seeds = {
  empty: end,
  plain: tar(directory('d'), file('d/f', 'data'), symlink('s', 'd/f'), hardlink('h', 'd/f'), device('c', 'c', 1, 3), {
    type: '6',
    name: 'p',
  }),
  v7: tar({ name: 'dir/', format: 'v7' }, { name: 'f', format: 'v7', data: 'x' }),
  gnu: tar(
    { name: 'short', format: 'gnu', gnuLongName: 'n'.repeat(150), data: 'x' },
    { type: '2', name: 'l', link: 'x', gnuLongLink: 't'.repeat(150) },
  ),
  base256: tar({ name: 'f', uid: 3_000_000, gid: 3_000_000, mtime: -1 }),
  prefix: tar({ name: 'f', prefix: 'a/b/c' }),
  pax: tar({
    name: 'f',
    data: 'x',
    pax: { path: 'long/name', mtime: '-1.5', uid: '7', 'SCHILY.xattr.user.a': Buffer.from([0, 1, 2]), size: '1' },
  }),
  global: Buffer.concat([paxHeader('g', { mtime: '1.25', comment: 'c' }), tar(file('f'))]),
  erased: Buffer.concat([paxHeader('g', { uid: '5' }), tar({ name: 'f', pax: { uid: '' } })]),
  sparse00: tar({
    name: 'f',
    data: 'abcd',
    pax: [
      ['GNU.sparse.size', '4096'],
      ['GNU.sparse.numblocks', '2'],
      ['GNU.sparse.offset', '0'],
      ['GNU.sparse.numbytes', '2'],
      ['GNU.sparse.offset', '1024'],
      ['GNU.sparse.numbytes', '2'],
    ],
  }),
  sparse01: tar({
    name: 'f',
    data: 'abcd',
    pax: { 'GNU.sparse.size': '4096', 'GNU.sparse.name': 'real', 'GNU.sparse.map': '0,2,1024,2' },
  }),
  sparse10: tar({
    name: 'f',
    data: Buffer.concat([Buffer.from('2\n0\n2\n1024\n2\n'.padEnd(512, '\0')), Buffer.from('abcd')]),
    pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '4096' },
  }),
  sparseOld: Buffer.concat([oldSparse(pairs(3), 8192, Buffer.from('abc')), end]),
  sparseOldLong: Buffer.concat([oldSparse(pairs(30), 65_536, Buffer.alloc(30, 'x')), end]),
  whiteouts: tar(
    directory('d'),
    file('d/a'),
    file('d/.wh..wh..opq'),
    file('.wh.d'),
    file('.wh..wh.plnk/x'),
    directory('d'),
    file('d/b'),
  ),
  links: tar(
    symlink('a', '../b'),
    directory('b'),
    file('a/x/y', '1'),
    symlink('b', '/'),
    file('b/z', '2'),
    hardlink('q', 'b/z'),
  ),
  malformed: Buffer.concat([rawBlock('x', Buffer.from('12 path=x')), rawBlock('L', Buffer.from('a\0b')), end]),
};

const target = process.argv[2];
if (target === undefined) throw new Error('usage: tar-seeds.mjs DIRECTORY');
mkdirSync(target, { recursive: true });
for (const [name, archive] of Object.entries(seeds)) {
  // The first byte tells the target what to do: with mended checksums, in small pieces, each form of whiteouts.
  for (const how of [0x81, 0xc2, 0x80])
    writeFileSync(join(target, `${name}-${how.toString(16)}`), Buffer.concat([Buffer.from([how]), archive]));
}
