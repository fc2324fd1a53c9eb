/** The jobs on trees: remove, copy, usage, mount points, pack. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { PackRequest, Tree } from '../../src/native/worker.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, symlink, tar } from '../support/tar.ts';
import { treeListing } from '../support/tree-listing.ts';
import { asNobody, nobody, Scratch, singleId, unpack, workerThrough } from './support/worker-process.ts';

const worker = workerThrough();
const shell = (script: string, cwd: string): string => execFileSync('sh', ['-c', script], { cwd, encoding: 'utf8' });

/** One of everything. */
const everything = `
  mkdir -p d/e/f; echo hello > d/a; ln d/a d/e/b; ln -s ../../x d/e/l; mkfifo d/p; mknod d/null c 1 3; chmod 4755 d/a; chmod 1777 d/e
  truncate -s 3M d/holes; printf x | dd of=d/holes bs=1 seek=1500000 conv=notrunc status=none; chown 5:6 d/e; chown -h 7:8 d/e/l
  setfattr -n user.k -v v d/a; setfattr -n user.hako.owner -v 1:2:644 d/e/f; setcap cap_net_raw+ep d/holes; touch -d 2001-01-01 d/a d/e/f d/e d`;

async function packed(request: Partial<PackRequest> & { tree: Tree }): Promise<Buffer> {
  const output = new PassThrough();
  const [archive] = await Promise.all([
    buffer(output),
    worker.pack({ idMappings: null, whiteouts: false, owners: false, ...request }, output),
  ]);
  return archive;
}

describeWith({ root: true, tools: ['setfattr', 'setcap', 'chattr', 'unshare'] }, 'remove', () => {
  test('a tree of everything; what is not there is no failure', async () => {
    using scratch = new Scratch();
    shell(everything, scratch.path);
    symlinkSync('/etc', join(scratch.path, 'd/link'));
    await worker.removeTree(join(scratch.path, 'd'), null);
    await worker.removeTree(join(scratch.path, 'd'), null);
    await worker.removeTree(join(scratch.path, 'absent/too'), null);
    expect(readdirSync(scratch.path)).toEqual([]);
    expect(existsSync('/etc/passwd')).toBe(true);
  });

  test('a symlink itself, not what it leads to', async () => {
    using scratch = new Scratch();
    mkdirSync(join(scratch.path, 'kept'));
    symlinkSync('kept', join(scratch.path, 'link'));
    await worker.removeTree(join(scratch.path, 'link'), null);
    expect(readdirSync(scratch.path)).toEqual(['kept']);
  });

  test('5,000 directories in one another', async () => {
    using scratch = new Scratch('/dev/shm');
    // Longer than PATH_MAX, so by steps.
    execFileSync('python3', ['-c', 'import os\nfor _ in range(5000): os.mkdir("d" * 50); os.chdir("d" * 50)\n'], {
      cwd: scratch.path,
    });
    const [top = ''] = readdirSync(scratch.path);
    expect((await worker.usage(scratch.path, null)).inodes).toBe(5001);
    await worker.removeTree(join(scratch.path, top), null);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  test('an immutable file is named, with the remedy, and everything else goes', async () => {
    using scratch = new Scratch();
    shell('mkdir -p d/e; echo x > d/e/kept; echo x > d/gone; chattr +i d/e/kept', scratch.path);
    try {
      await expect(worker.removeTree(join(scratch.path, 'd'), null)).rejects.toMatchObject({
        code: 'HAKO_ERR_PERMISSION_DENIED',
        operation: 'immutable',
        message: expect.stringContaining('chattr'),
      });
      expect(readdirSync(join(scratch.path, 'd'), { recursive: true })).toEqual(['e', 'e/kept']);
    } finally {
      shell('chattr -i d/e/kept', scratch.path);
    }
  });

  test('nothing beyond a mount: the worker does not have it, and removing the place detaches it (rmdir(2), Linux 3.18)', async () => {
    using scratch = new Scratch();
    shell('mkdir -p d/m other; echo x > other/kept; mount --bind other d/m', scratch.path);
    await worker.removeTree(join(scratch.path, 'd'), null);
    expect(readdirSync(scratch.path)).toEqual(['other']);
    expect(readFileSync(join(scratch.path, 'other/kept'), 'utf8')).toBe('x\n');
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(scratch.path);
  });

  test("an ordinary user's own tree, whatever modes it has", async () => {
    using scratch = new Scratch();
    shell(
      `mkdir -p d/e/f d/g; touch d/e/f/x d/g/y; chmod 000 d/e/f d/e; chmod 500 d/g; chown -R ${nobody}:${nobody} .; chmod 755 .`,
      scratch.path,
    );
    await workerThrough(asNobody).removeTree(join(scratch.path, 'd'), singleId);
    expect(readdirSync(scratch.path)).toEqual([]);
  });
});

describeWith({ root: true, tools: ['setfattr', 'setcap'] }, 'copy', () => {
  test('everything that belongs to a tree', async () => {
    using scratch = new Scratch();
    shell(everything, scratch.path);
    const result = await worker.copyTree(join(scratch.path, 'd'), join(scratch.path, 'copy'), null);
    expect(treeListing(join(scratch.path, 'copy'))).toEqual(treeListing(join(scratch.path, 'd')));
    expect(lstatSync(join(scratch.path, 'copy/holes')).blocks).toBe(lstatSync(join(scratch.path, 'd/holes')).blocks);
    expect(result.entries).toBe(
      treeListing(join(scratch.path, 'd')).filter((line) => /\|[fdlpcb]\|/.test(line)).length,
    );
    expect(lstatSync(join(scratch.path, 'copy/a')).ino).not.toBe(lstatSync(join(scratch.path, 'd/a')).ino);
  });

  test('not onto something, and not without its source', async () => {
    using scratch = new Scratch();
    shell('mkdir a b', scratch.path);
    await expect(worker.copyTree(join(scratch.path, 'a'), join(scratch.path, 'b'), null)).rejects.toMatchObject({
      errno: 'EEXIST',
    });
    await expect(worker.copyTree(join(scratch.path, 'absent'), join(scratch.path, 'c'), null)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  test('by reflink where the filesystem can', async () => {
    using scratch = new Scratch();
    shell(
      'truncate -s 512M disk && mkfs.xfs -q -m reflink=1 disk && mkdir m && mount -o loop disk m && mkdir m/d && head -c 5000000 /dev/urandom > m/d/big',
      scratch.path,
    );
    try {
      const result = await worker.copyTree(join(scratch.path, 'm/d'), join(scratch.path, 'm/copy'), null);
      expect(result).toMatchObject({ bytesCopied: 0, bytesShared: 5_000_000 });
      expect(readFileSync(join(scratch.path, 'm/copy/big')).equals(readFileSync(join(scratch.path, 'm/d/big')))).toBe(
        true,
      );
    } finally {
      shell('umount m', scratch.path);
    }
  });
});

test('usage counts what du counts', async () => {
  using scratch = new Scratch();
  shell(
    'mkdir -p d/e; head -c 100000 /dev/zero | tr "\\0" x > d/a; ln d/a d/e/b; truncate -s 1G d/holes; ln -s x d/l',
    scratch.path,
  );
  const [bytes, inodes] = [shell('du -s --block-size=1 d', scratch.path), shell('du -s --inodes d', scratch.path)].map(
    (line) => Number.parseInt(line, 10),
  );
  expect(await worker.usage(join(scratch.path, 'd'), null)).toEqual({ bytes, inodes });
});

describeWith({ root: true }, 'mount points', () => {
  const point = (path: string, kind: 'directory' | 'file' = 'directory', mode = 0o755) => ({ kind, path, mode });

  test('made where they are missing, in an overlay that only the worker sees', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    for (const name of ['l1', 'l2', 'up', 'work']) mkdirSync(at(name));
    await unpack(tar(directory('etc'), symlink('var', '/data'), file('etc/hosts', 'kept')), at('l1'));
    await unpack(tar(directory('sys'), symlink('etc/mtab', '../outside')), at('l2'));
    const tree: Tree = {
      kind: 'overlay',
      base: scratch.path,
      lower: ['l2', 'l1'],
      upper: { path: 'up', work: 'work' },
      userxattr: false,
    };
    const points = [
      point('/proc', 'directory', 0o555),
      point('/sys'),
      point('/etc/hosts', 'file', 0o644),
      point('/etc/resolv.conf', 'file', 0o644),
      point('/var/lib/x'),
      { kind: 'symlink' as const, path: '/etc/mtab', target: '/proc/mounts' },
      { kind: 'symlink' as const, path: '/dev/new', target: '/proc/self/fd' },
    ];
    expect(await worker.makeMountpoints(tree, points, null)).toBe(4);
    expect(shell('find . -mindepth 1', at('up')).split('\n').toSorted()).toEqual([
      '',
      './data',
      './data/lib',
      './data/lib/x',
      './dev',
      './dev/new',
      './etc',
      './etc/resolv.conf',
      './proc',
    ]);
    expect(readlinkSync(at('up/dev/new'))).toBe('/proc/self/fd');
    expect(lstatSync(at('up/proc')).mode & 0o777).toBe(0o555);
    expect(await worker.makeMountpoints(tree, points, null)).toBe(0);
  });

  test('through the links of a hostile tree, inside it', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    mkdirSync(at('outside'));
    mkdirSync(at('root'));
    await unpack(
      tar(
        symlink('dev', at('outside')),
        symlink('etc', '../outside'),
        symlink('proc', '../outside/new'),
        file('sys', 'a file'),
      ),
      at('root'),
    );
    const tree: Tree = { kind: 'directory', base: at('root'), path: '' };
    await worker.makeMountpoints(tree, [point('/dev/pts'), point('/etc/hosts', 'file', 0o644), point('/proc')], null);
    expect(readdirSync(at('outside'))).toEqual([]);
    expect(readdirSync(at('root/outside')).toSorted()).toEqual(['hosts', 'new']);
    await expect(worker.makeMountpoints(tree, [point('/sys/fs')], null)).rejects.toMatchObject({
      message: expect.stringContaining('not a directory'),
    });
  });
});

describeWith({ root: true, tools: ['tar', 'setfattr', 'setcap'] }, 'pack', () => {
  test('what GNU tar unpacks to the same tree, the same bytes each time', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    shell(
      `${everything}; mkdir -p d/${'n'.repeat(120)}; touch d/${'n'.repeat(120)}/x; ln -s ${'t'.repeat(150)} d/long; touch -d 1960-01-01T00:00:00.5 d/early; setfattr -x user.hako.owner d/e/f; touch -d 2001-01-01 d/e/f d`,
      scratch.path,
    );
    const tree: Tree = { kind: 'directory', base: scratch.path, path: 'd' };
    const archive = await packed({ tree });
    expect((await packed({ tree })).equals(archive)).toBe(true);
    for (const [name, unpackInto] of [
      [
        'theirs',
        () =>
          execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', '-'], {
            cwd: at('theirs'),
            input: archive,
            stdio: ['pipe', 'ignore', 'ignore'],
          }),
      ],
      ['ours', () => unpack(archive, at('ours'))],
    ] as const) {
      mkdirSync(at(name));
      await unpackInto();
      expect(treeListing(at(name))).toEqual(treeListing(at('d')));
      expect(lstatSync(join(at(name), 'holes')).blocks).toBeLessThan(100);
    }
  });

  test('marks of overlayfs as whiteouts, which come back as the same marks', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    const layer = tar(
      directory('./'),
      directory('d/'),
      file('d/.wh..wh..opq', '', { mode: 0o600 }),
      file('d/.wh.gone', '', { mode: 0o600 }),
      file('d/new', 'x'),
    );
    for (const whiteouts of ['overlay', 'overlay-userxattr'] as const) {
      mkdirSync(at(whiteouts));
      await unpack(layer, at(whiteouts), { whiteouts });
      const archive = await packed({ tree: { kind: 'directory', base: at(whiteouts), path: '' }, whiteouts: true });
      const names = execFileSync('tar', ['-tf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n');
      expect(names).toEqual(['./', 'd/', 'd/.wh..wh..opq', 'd/.wh.gone', 'd/new']);
      const without = execFileSync('tar', ['-tf', '-'], {
        input: await packed({ tree: { kind: 'directory', base: at(whiteouts), path: '' } }),
        encoding: 'utf8',
      });
      expect(without.trim().split('\n')).toEqual(['./', 'd/', 'd/new']);
    }
  });

  test('an overlay as a container sees it, with the owners that a single id hides', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    for (const name of ['l1', 'l2']) mkdirSync(at(name));
    await unpack(tar(file('a', '1'), file('b', '2', { uid: 10, gid: 20, mode: 0o4711 })), at('l1'), {
      whiteouts: 'overlay',
      ownership: 'single',
    });
    await unpack(tar(file('.wh.a'), file('c', '3')), at('l2'), { whiteouts: 'overlay' });
    const archive = await packed({
      tree: { kind: 'overlay', base: scratch.path, lower: ['l2', 'l1'], upper: null, userxattr: false },
      owners: true,
    });
    const lines = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' ').split(' '));
    expect(lines.map((words) => [words[0], words[1], words.at(-1)])).toEqual([
      ['drwxr-xr-x', '0/0', './'],
      ['-rws--x--x', '10/20', 'b'],
      ['-rw-r--r--', '0/0', 'c'],
    ]);
  });

  test('an archive that ends is whole: a worker that fails does not end it', async () => {
    using scratch = new Scratch();
    // A name that a tar archive of overlayfs's marks cannot have, in the middle of a tree.
    shell(`mkdir a z; echo x > a/f; mknod "$(printf '%0255d' 0)" c 0 0`, scratch.path);
    const output = new PassThrough();
    let ended = false;
    output.on('end', () => (ended = true)).resume();
    const request = {
      tree: { kind: 'directory', base: scratch.path, path: '' },
      idMappings: null,
      owners: false,
    } as const;
    await expect(worker.pack({ ...request, whiteouts: true }, output)).rejects.toMatchObject({ operation: 'pack' });
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    expect(output.writableEnded).toBe(false);
  });

  test('what belongs to nobody in the user namespace is adopted when that is asked for', async () => {
    using scratch = new Scratch();
    shell('mkdir own; echo 1 > own/root; echo 2 > own/nobody; chown 65534:65534 own own/nobody', scratch.path);
    const request = { tree: { kind: 'directory', base: scratch.path, path: 'own' }, idMappings: null } as const;
    const owners = async (adopt: boolean) =>
      execFileSync('tar', ['--numeric-owner', '-tvf', '-'], {
        input: await packed({ ...request, adopt }),
        encoding: 'utf8',
      })
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[1]);
    expect(await owners(false)).toEqual(['65534/65534', '65534/65534', '0/0']);
    expect(await owners(true)).toEqual(['0/0', '0/0', '0/0']);
  });
});
