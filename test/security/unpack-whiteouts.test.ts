/** Whiteouts in both forms, and what an image may not forge (catalogue 1D, "Whiteouts", and CVE-2026-95838). */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OWNER_XATTR, type UnpackRequest } from '../../src/native/worker.ts';
import { Scratch, unpack } from '../native/support/worker-process.ts';
import { describeWith } from '../support/requires.ts';
import { device, directory, file, hardlink, symlink, type TarEntry, tar, tarEntry, tarOf } from '../support/tar.ts';

const listing = (root: string): string[] => readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();

const lowerLayer: readonly TarEntry[] = [
  directory('d'),
  file('d/a', 'old'),
  file('d/b', 'old'),
  directory('d/sub'),
  file('d/sub/x', 'old'),
  file('f', 'old'),
  directory('e'),
  file('e/x', 'old'),
];

interface Layer {
  readonly name: string;
  readonly upper: readonly TarEntry[];
  readonly seen: readonly string[];
  /** No whiteout in it: the same when whiteouts are ordinary names. */
  readonly plain?: true;
  /** overlayfs heeds no opaque mark at the root of a layer. */
  readonly hidesAll?: true;
}

/** What a layer on top of {@link lowerLayer} leaves to be seen. */
const layers: readonly Layer[] = [
  { name: 'a file', upper: [file('.wh.f')], seen: ['d', 'd/a', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x'] },
  { name: 'a directory', upper: [file('.wh.d')], seen: ['e', 'e/x', 'f'] },
  {
    name: 'a file in a directory',
    upper: [directory('d'), file('d/.wh.a')],
    seen: ['d', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x', 'f'],
  },
  {
    name: 'nothing that is there',
    upper: [file('.wh.absent'), file('e/.wh.absent')],
    seen: ['d', 'd/a', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x', 'f'],
  },
  {
    name: 'an opaque directory',
    upper: [directory('d'), file('d/.wh..wh..opq'), file('d/new')],
    seen: ['d', 'd/new', 'e', 'e/x', 'f'],
  },
  {
    name: 'an opaque directory whose mark comes last',
    upper: [directory('d'), file('d/new'), directory('d/sub'), file('d/sub/new'), file('d/.wh..wh..opq')],
    seen: ['d', 'd/new', 'd/sub', 'd/sub/new', 'e', 'e/x', 'f'],
  },
  {
    name: 'a deletion and the same name again, in either order',
    upper: [file('.wh.f'), file('f', 'new'), file('e/x', 'new'), file('e/.wh.x')],
    seen: ['d', 'd/a', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x', 'f'],
  },
  {
    name: 'a directory deleted and made anew',
    upper: [file('.wh.d'), directory('d'), file('d/new')],
    seen: ['d', 'd/new', 'e', 'e/x', 'f'],
  },
  {
    name: 'a directory made anew and deleted below',
    upper: [directory('d'), file('d/new'), file('.wh.d')],
    seen: ['d', 'd/new', 'e', 'e/x', 'f'],
  },
  {
    name: 'a directory deleted, and entries in it without one of its own',
    upper: [file('.wh.d'), file('d/new')],
    seen: ['d', 'd/new', 'e', 'e/x', 'f'],
  },
  {
    name: 'a directory in which something new stays',
    upper: [file('d/sub/new'), file('d/.wh..wh..opq')],
    seen: ['d', 'd/sub', 'd/sub/new', 'e', 'e/x', 'f'],
  },
  { name: 'the whole tree', upper: [file('.wh..wh..opq'), file('new')], seen: ['new'], hidesAll: true },
  {
    name: 'what aufs kept for itself',
    upper: [directory('.wh..wh.plnk'), file('.wh..wh.plnk/1.2', 'x'), file('.wh..wh.aufs'), file('d/.wh..wh.orph')],
    seen: ['d', 'd/a', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x', 'f'],
  },
  { name: 'a file in place of a directory', upper: [file('d', 'new')], seen: ['d', 'e', 'e/x', 'f'], plain: true },
  {
    name: 'a whiteout that is a directory or a link',
    upper: [directory('.wh.f'), symlink('d/.wh.a', '/etc')],
    seen: ['d', 'd/b', 'd/sub', 'd/sub/x', 'e', 'e/x'],
  },
];

/** The two layers as overlayfs shows them, from a private mount namespace. */
function overlayListing(base: string, userxattr: boolean): string[] {
  const mount = `mount -t overlay overlay -o lowerdir=upper:lower${userxattr ? ',userxattr' : ''} merged && cd merged && find . -mindepth 1 -printf '%P\\n'`;
  return execFileSync('unshare', ['--mount', 'sh', '-c', mount], { cwd: base, encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

function attributes(path: string): string[] {
  return execFileSync('getfattr', ['-h', '-m', '-', '--absolute-names', path], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

describeWith({ root: true, tools: ['getfattr', 'unshare', 'tar'] }, 'whiteouts', () => {
  test.each(layers)('applied to the tree: $name', async ({ upper, seen, plain }) => {
    using scratch = new Scratch();
    await unpack(tar(...lowerLayer), scratch.path);
    await unpack(tar(...upper), scratch.path, { whiteouts: 'apply' });
    expect(listing(scratch.path)).toEqual(seen);
    if (plain === true) return;
    // The control: as ordinary names they delete nothing.
    using control = new Scratch();
    await unpack(tar(...lowerLayer), control.path);
    await unpack(tar(...upper), control.path);
    expect(listing(control.path)).not.toEqual(seen);
  });

  test.each(layers.flatMap((layer) => [false, true].map((userxattr) => ({ ...layer, userxattr }))))(
    'as overlayfs shows it (userxattr: $userxattr): $name',
    async ({ upper, seen, userxattr, hidesAll }) => {
      using scratch = new Scratch();
      for (const name of ['lower', 'upper', 'merged']) mkdirSync(join(scratch.path, name));
      const whiteouts = userxattr ? 'overlay-userxattr' : 'overlay';
      await unpack(tar(...lowerLayer), join(scratch.path, 'lower'), { whiteouts });
      const { rootOpaque } = await unpack(tar(...upper), join(scratch.path, 'upper'), { whiteouts });
      expect(rootOpaque).toBe(hidesAll === true);
      if (hidesAll !== true) expect(overlayListing(scratch.path, userxattr)).toEqual(seen);
    },
  );

  test.each(layers)('onto a mounted overlay, whose kernel then makes the marks: $name', async ({ upper, seen }) => {
    using scratch = new Scratch();
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(scratch.path, name));
    await unpack(tar(...lowerLayer), join(scratch.path, 'lower'));
    const tree = {
      kind: 'overlay',
      base: scratch.path,
      lower: ['lower'],
      upper: { path: 'upper', work: 'work' },
      userxattr: false,
    } as const;
    await unpack(tar(...upper), scratch.path, { tree, whiteouts: 'apply' });
    mkdirSync(join(scratch.path, 'merged'));
    expect(overlayListing(scratch.path, false)).toEqual(seen);
    expect(listing(join(scratch.path, 'lower'))).toEqual(lowerLayer.map(({ name }) => String(name)).sort());
  });

  test.each(['', '.', '..'])('a whiteout of "%s" is refused', async (name) => {
    using scratch = new Scratch();
    for (const whiteouts of ['overlay', 'apply'] as const)
      await expect(
        unpack(tar(directory('d'), file(`d/.wh.${name}`)), scratch.path, { whiteouts }),
      ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' });
    await unpack(tar(directory('d'), file(`d/.wh.${name}`)), scratch.path);
  });
});

const forged = {
  'SCHILY.xattr.trusted.overlay.opaque': 'y',
  'SCHILY.xattr.trusted.overlay.redirect': '/etc',
  'SCHILY.xattr.trusted.overlay.metacopy': '',
  'SCHILY.xattr.user.overlay.opaque': 'y',
  'SCHILY.xattr.user.overlay.redirect': '/etc',
  [`SCHILY.xattr.${OWNER_XATTR}`]: '0:0:4755',
  'SCHILY.xattr.security.selinux': 'system_u:object_r:shadow_t:s0',
  'SCHILY.xattr.trusted.anything': 'x',
  'SCHILY.xattr.user.kept': 'yes',
};

describeWith({ root: true, tools: ['getfattr', 'tar'] }, 'what an image may not forge', () => {
  test('marks of overlayfs, owners, labels: only what a container can see stays', async () => {
    using scratch = new Scratch();
    using control = new Scratch();
    const archive = tar(directory('d', 0o755, { pax: forged }), file('f', 'x', { pax: forged }));
    const result = await unpack(archive, scratch.path, { whiteouts: 'overlay' });
    expect(attributes(join(scratch.path, 'd'))).toEqual(['user.kept']);
    expect(attributes(join(scratch.path, 'f'))).toEqual(['user.kept']);
    expect(result.xattrsDropped).toBe(16);
    // The control: a tar that trusts what it is given sets them.
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-C', control.path, '-xf', '-'], {
      input: archive,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    expect(attributes(join(control.path, 'd'))).toContain('trusted.overlay.redirect');
  });

  test.each<UnpackRequest['whiteouts']>(['none', 'overlay', 'apply'])(
    'a character device 0:0, which overlayfs takes for a whiteout (%s)',
    async (whiteouts) => {
      using scratch = new Scratch();
      using control = new Scratch();
      const archive = tar(device('hidden', 'c', 0, 0), device('null', 'c', 1, 3));
      const result = await unpack(archive, scratch.path, { whiteouts });
      expect(listing(scratch.path)).toEqual(['null']);
      expect(result.devicesSkipped).toBe(1);
      execFileSync('tar', ['-C', control.path, '-xf', '-'], { input: archive });
      expect(lstatSync(join(control.path, 'hidden')).isCharacterDevice()).toBe(true);
    },
  );

  test('a hard link to a whiteout is no way to make a device', async () => {
    using scratch = new Scratch();
    await unpack(tar(file('.wh.x'), hardlink('y', 'x')), scratch.path, { whiteouts: 'overlay' }).catch(() => undefined);
    expect(existsSync(join(scratch.path, 'y')) ? lstatSync(join(scratch.path, 'y')).rdev : 0).toBe(0);
  });
});

describeWith({ root: true }, 'repeated deletions (CVE-2026-95838)', () => {
  /** Directory entries that a reader looks at which walks the directory at each mark: the control is a count, not a wait. */
  const looksOfNaiveReader = (entries: number, marks: number): number => entries * marks;

  test.each([
    ['d/.wh..wh..opq', 100_000],
    ['.wh.d', 20_000],
    ['.wh..wh..opq', 20_000],
  ])(
    '%s, %i times over as many files, takes linear time',
    async (mark, count) => {
      using scratch = new Scratch('/dev/shm');
      const marked = tarEntry(file(mark));
      const layer = Array.from({ length: count }, (_, index) => tarEntry(file(`d/${index}`)));
      const archive = Buffer.concat([...layer, Buffer.alloc(count * marked.length, marked), Buffer.alloc(1024)]);
      const before = performance.now();
      await unpack(archive, scratch.path, { whiteouts: 'apply' });
      const microsecondsEach = ((performance.now() - before) * 1000) / (2 * count);
      expect(readdirSync(join(scratch.path, 'd'))).toHaveLength(count);
      // Each look of the naive reader takes at least a tenth of a microsecond.
      expect(microsecondsEach).toBeLessThan(looksOfNaiveReader(count, count) / (2 * count) / 10);
      expect(microsecondsEach).toBeLessThan(400);
    },
    180_000,
  );

  test('marks on every level of a deep tree', async () => {
    using scratch = new Scratch('/dev/shm');
    const levels = Array.from({ length: 200 }, (_, index) => `${'d/'.repeat(index)}d`);
    const bottom = levels.at(-1) ?? '';
    const at = (path: string): TarEntry => file('x', '', { pax: { path } });
    const files = Array.from({ length: 2000 }, (_, index) => at(`${bottom}/${index}`));
    const marks = levels.toReversed().flatMap((level) => Array.from({ length: 10 }, () => at(`${level}/.wh..wh..opq`)));
    mkdirSync(join(scratch.path, 'd'));
    writeFileSync(join(scratch.path, 'd/old'), '');
    const before = performance.now();
    await unpack(tarOf([...files, ...marks]), scratch.path, { whiteouts: 'apply' });
    // 2,000 marks × 2,000 entries and 200 directories would be four million looks.
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(existsSync(join(scratch.path, 'd/old'))).toBe(false);
    expect(readdirSync(join(scratch.path, bottom))).toHaveLength(2000);
  });
});
