/** The same work as an ordinary user: with the one id that the kernel grants, and with a range by newuidmap(1). */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { IdMappings } from '../../src/contracts/isolation.ts';
import { OWNER_XATTR } from '../../src/native/worker.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { device, directory, file, hardlink, symlink, tar } from '../support/tar.ts';
import { treeListing } from '../support/tree-listing.ts';
import { asNobody, nobody, plainRequest, Scratch, singleId, unpack, workerThrough } from './support/worker-process.ts';

const layer = tar(
  directory('./', 0o755),
  directory('etc', 0o755),
  file('etc/shadow', 'secret', { mode: 0o640, gid: 42 }),
  file('bin/su', 'x', { mode: 0o4755 }),
  directory('home/app', 0o2750, { uid: 1000, gid: 1000 }),
  file('home/app/f', 'mine', { uid: 1000, gid: 1000, pax: { 'SCHILY.xattr.user.k': 'v' } }),
  hardlink('home/app/g', 'home/app/f'),
  symlink('l', 'etc', { uid: 1000 }),
  file('locked/f', 'x', { mode: 0o000 }),
  directory('locked', 0o000),
  device('null', 'c', 1, 3),
  { type: '6', name: 'fifo' },
);

const xattr = (path: string, name: string): string | undefined => {
  try {
    return execFileSync('getfattr', ['--only-values', '--absolute-names', '-n', name, path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
};

function ownedBy(id: number): Scratch {
  const scratch = new Scratch();
  chownSync(scratch.path, id, id);
  return scratch;
}

describeWith({ root: true, tools: ['setpriv', 'getfattr'] }, 'with a single id', () => {
  const worker = workerThrough(asNobody);
  const request = (base: string) =>
    plainRequest(base, { idMappings: singleId, ownership: 'single', devicesOptional: true });

  test('everything belongs to the user, other owners are remembered, devices are counted', async () => {
    using scratch = ownedBy(nobody);
    const at = (name: string): string => join(scratch.path, name);
    const result = await worker.unpack(request(scratch.path), Readable.from([layer]));
    expect(result).toMatchObject({ entries: 12, devicesSkipped: 1, xattrsDropped: 0 });
    for (const name of ['etc/shadow', 'bin/su', 'home/app', 'home/app/f', 'l', 'locked', 'fifo'])
      expect(lstatSync(at(name))).toMatchObject({ uid: nobody, gid: nobody });
    expect(xattr(at('etc/shadow'), OWNER_XATTR)).toBe('0:42:640');
    expect(xattr(at('home/app'), OWNER_XATTR)).toBe('1000:1000:2750');
    expect(xattr(at('bin/su'), OWNER_XATTR)).toBeUndefined();
    expect(xattr(at('home/app/f'), 'user.k')).toBe('v');
    expect([
      lstatSync(at('locked')).mode & 0o7777,
      lstatSync(at('locked/f')).mode & 0o7777,
      lstatSync(at('bin/su')).mode & 0o7777,
    ]).toEqual([0, 0, 0o4755]);
    expect(lstatSync(at('home/app/g')).ino).toBe(lstatSync(at('home/app/f')).ino);
    expect(readlinkSync(at('l'))).toBe('etc');
  });

  test('overlay marks without any privilege, seen by an overlay of the same user', async () => {
    using scratch = ownedBy(nobody);
    const tree = (path: string) => ({ kind: 'directory' as const, base: scratch.path, path, make: true });
    const overlay = { ...request(scratch.path), whiteouts: 'overlay-userxattr' as const };
    await worker.unpack(
      { ...overlay, tree: tree('lower') },
      Readable.from([tar(directory('d'), file('d/a'), file('f'), file('g'))]),
    );
    await worker.unpack(
      { ...overlay, tree: tree('upper') },
      Readable.from([tar(file('.wh.f'), directory('d'), file('d/.wh..wh..opq'), file('d/new'))]),
    );
    const output = new PassThrough();
    const [archive] = await Promise.all([
      buffer(output),
      worker.pack(
        {
          tree: { kind: 'overlay', base: scratch.path, lower: ['upper', 'lower'], upper: null, userxattr: true },
          idMappings: singleId,
          whiteouts: false,
          owners: true,
        },
        output,
      ),
    ]);
    expect(execFileSync('tar', ['-tf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n')).toEqual([
      './',
      'd/',
      'd/new',
      'g',
    ]);
  });

  test('the same tree as root makes of it, once the owners are taken back', async () => {
    using mine = ownedBy(nobody);
    using theirs = new Scratch();
    await worker.unpack(request(mine.path), Readable.from([layer]));
    const output = new PassThrough();
    const [archive] = await Promise.all([
      buffer(output),
      worker.pack(
        {
          tree: { kind: 'directory', base: mine.path, path: '' },
          idMappings: singleId,
          whiteouts: false,
          owners: true,
        },
        output,
      ),
    ]);
    const roundTrip = join(theirs.path, 'round-trip');
    const direct = join(theirs.path, 'direct');
    for (const path of [roundTrip, direct]) mkdirSync(path);
    await unpack(archive, roundTrip);
    await unpack(layer, direct);
    // What an unprivileged file system can't hold: a device, and the owner of a symlink. Implied directories have today's time.
    const comparable = (root: string): string[] =>
      treeListing(root).filter((line) => !/null|^l\||^(bin|home)\|/.test(line));
    expect(comparable(roundTrip)).toEqual(comparable(direct));
  });

  test('copying, measuring and removing', async () => {
    using scratch = ownedBy(nobody);
    await worker.unpack(
      { ...request(scratch.path), tree: { kind: 'directory', base: scratch.path, path: 'a', make: true } },
      Readable.from([layer]),
    );
    await worker.copyTree(join(scratch.path, 'a'), join(scratch.path, 'b'), singleId);
    expect(treeListing(join(scratch.path, 'b'))).toEqual(treeListing(join(scratch.path, 'a')));
    expect((await worker.usage(join(scratch.path, 'b'), singleId)).inodes).toBe(
      (await worker.usage(join(scratch.path, 'a'), singleId)).inodes,
    );
    for (const name of ['a', 'b']) await worker.removeTree(join(scratch.path, name), singleId);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('a device is a failure unless it may be left out', async () => {
    using scratch = ownedBy(nobody);
    await expect(
      worker.unpack({ ...request(scratch.path), devicesOptional: false }, Readable.from([layer])),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_PERMISSION_DENIED', operation: 'mknod' });
  });

  test('an owner that is not mapped is named', async () => {
    using scratch = ownedBy(nobody);
    await expect(
      worker.unpack({ ...request(scratch.path), ownership: 'keep' }, Readable.from([layer])),
    ).rejects.toMatchObject({ operation: 'chown', errno: 'EINVAL', message: expect.stringContaining('not mapped') });
  });

  test('a directory of somebody else stays closed', async () => {
    using scratch = new Scratch();
    mkdirSync(join(scratch.path, 'theirs'));
    chmodSync(scratch.path, 0o755);
    await expect(worker.unpack(request(join(scratch.path, 'theirs')), Readable.from([layer]))).rejects.toMatchObject({
      code: 'HAKO_ERR_PERMISSION_DENIED',
    });
    await expect(worker.removeTree(join(scratch.path, 'theirs'), singleId)).rejects.toMatchObject({
      code: 'HAKO_ERR_PERMISSION_DENIED',
    });
  });
});

describeWith({ root: true }, 'as root, in a namespace with a range of ids', () => {
  const start = 700_000;
  const map = [{ containerId: 0, hostId: start, size: 65_536 }];
  const idMappings: IdMappings = { uid: map, gid: map, method: { kind: 'direct', denySetgroups: false } };
  const worker = workerThrough();

  test('owners are shifted by it, and nobody outside the range is reached', async () => {
    using scratch = ownedBy(start);
    await worker.unpack(plainRequest(scratch.path, { idMappings, devicesOptional: true }), Readable.from([layer]));
    expect(statSync(join(scratch.path, 'home/app'))).toMatchObject({ uid: start + 1000, gid: start + 1000 });
    expect(statSync(join(scratch.path, 'bin/su'))).toMatchObject({ uid: start, mode: 0o104755 });
    using foreign = new Scratch();
    chmodSync(foreign.path, 0o770);
    await expect(
      worker.unpack(plainRequest(foreign.path, { idMappings }), Readable.from([layer])),
    ).rejects.toMatchObject({
      code: 'HAKO_ERR_PERMISSION_DENIED',
    });
  });

  test('overlay marks, with the attributes that such a namespace may write', async () => {
    using scratch = ownedBy(start);
    await worker.unpack(
      plainRequest(scratch.path, { idMappings, whiteouts: 'overlay-userxattr' }),
      Readable.from([tar(file('.wh.f'), directory('d'), file('d/.wh..wh..opq'))]),
    );
    expect(lstatSync(join(scratch.path, 'f')).isCharacterDevice()).toBe(true);
    expect(xattr(join(scratch.path, 'd'), 'user.overlay.opaque')).toBe('y');
  });
});

const user = `hako-test-${process.pid}`;

describeWith(
  { root: true, tools: ['setpriv', 'useradd', 'userdel', 'newuidmap', 'newgidmap', 'usermod'] },
  'with a range of ids by newuidmap',
  () => {
    const start = 900_000;
    let id = 0;
    beforeAll(() => {
      execFileSync('useradd', ['--no-create-home', '--shell', '/usr/sbin/nologin', user]);
      execFileSync('usermod', [
        '--add-subuids',
        `${start}-${start + 65_535}`,
        '--add-subgids',
        `${start}-${start + 65_535}`,
        user,
      ]);
      id = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
    });
    afterAll(() => execFileSync('userdel', [user]));

    const mappings = (): IdMappings => {
      const map = [
        { containerId: 0, hostId: id, size: 1 },
        { containerId: 1, hostId: start, size: 65_535 },
      ];
      return {
        uid: map,
        gid: map,
        method: { kind: 'helpers', newuidmap: findTool('newuidmap') ?? '', newgidmap: findTool('newgidmap') ?? '' },
      };
    };
    const worker = () =>
      workerThrough(['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--inh-caps=-all', '--']);

    test('owners are kept, as the namespace sees them', async () => {
      using scratch = ownedBy(id);
      const result = await worker().unpack(
        plainRequest(scratch.path, { idMappings: mappings(), devicesOptional: true }),
        Readable.from([layer]),
      );
      expect(result.devicesSkipped).toBe(1);
      expect(statSync(join(scratch.path, 'home/app'))).toMatchObject({ uid: start + 999, gid: start + 999 });
      expect(statSync(join(scratch.path, 'etc/shadow'))).toMatchObject({ uid: id, gid: start + 41 });
      expect(readFileSync(join(scratch.path, 'home/app/f'), 'utf8')).toBe('mine');
      await worker().copyTree(join(scratch.path, 'home'), join(scratch.path, 'copy'), mappings());
      expect(treeListing(join(scratch.path, 'copy'))).toEqual(treeListing(join(scratch.path, 'home')));
      for (const name of readdirSync(scratch.path)) await worker().removeTree(join(scratch.path, name), mappings());
      expect(readdirSync(scratch.path)).toEqual([]);
    });

    test('an id beyond the range is named', async () => {
      using scratch = ownedBy(id);
      await expect(
        worker().unpack(
          plainRequest(scratch.path, { idMappings: mappings() }),
          Readable.from([tar(file('f', '', { uid: 70_000 }))]),
        ),
      ).rejects.toMatchObject({ operation: 'chown', message: expect.stringContaining('70000') });
    });

    test('a map that newuidmap refuses is a failure in its own words', async () => {
      using scratch = ownedBy(id);
      const { uid, ...rest } = mappings();
      const stolen = { ...rest, uid: uid.map((map) => ({ ...map, hostId: map.hostId + 1 })) };
      await expect(
        worker().unpack(plainRequest(scratch.path, { idMappings: stolen }), Readable.from([layer])),
      ).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED', operation: 'idmap' });
    });
  },
);
