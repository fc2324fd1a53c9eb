import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { Container } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentOf, prepared, tarList, whole } from '../support/file-cases.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, hardlink, symlink, tar } from '../support/tar.ts';
import { busyboxImage, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const script = `
mkdir -p /data/sub /empty; echo one > /data/one; echo two > /data/sub/two; ln -s sub/two /data/link
ln -s /data /todata; ln -s /nowhere/at/all /broken; ln /data/one /data/hard; chmod 4711 /data/one
echo plain > /plain; chown 1000:50 /plain`;

describeWith({ root: true, tools: ['busybox', 'tar'] }, 'copying', () => {
  let opened: TestRuntime;
  let running: Container;
  let stopped: Container;
  let host: string;

  beforeAll(async () => {
    opened = await openRuntime();
    [running, stopped] = await Promise.all([prepared(opened.runtime, script), prepared(opened.runtime, script)]);
    await stopped.stop({ timeout: 0 });
    host = mkdtempSync(join(tmpdir(), 'hako-copy-'));
  }, 60_000);
  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
    rmSync(host, { recursive: true, force: true });
  });

  const both = [
    ['running', () => running],
    ['stopped', () => stopped],
  ] as const;
  let count = 0;
  /** A place of its own on the host, and one in the container. */
  const fresh = () => ({ there: join(host, `to-${++count}`), into: `/in-${count}` });

  it.each(both)('looks at paths as docker does (%s)', async (_name, container) => {
    expect(await container().statPath('/data/one')).toMatchObject({
      name: 'one',
      type: 'file',
      mode: 0o4711,
      size: 4,
      linkTarget: null,
    });
    expect(await container().statPath('/todata')).toMatchObject({
      name: 'todata',
      type: 'symlink',
      linkTarget: '/data',
    });
    expect(await container().statPath('/todata/')).toMatchObject({
      name: 'todata',
      type: 'directory',
      linkTarget: null,
    });
    expect(await container().statPath('/todata/.')).toMatchObject({ name: '.', type: 'directory' });
    expect(await container().statPath('/todata/link', { followLink: true })).toMatchObject({
      name: 'link',
      type: 'file',
      size: 4,
    });
    expect(await container().statPath('/broken')).toMatchObject({ type: 'symlink', linkTarget: '/nowhere/at/all' });
    expect(await container().statPath('plain')).toMatchObject({ name: 'plain' });
    expect(await container().statPath('/data/../plain')).toMatchObject({ name: 'plain' });
    expect(await container().statPath('/../../plain')).toMatchObject({ name: 'plain' });
    await expect(container().statPath('/nothing')).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
      message: expect.stringContaining("'/nothing'"),
    });
    await expect(container().statPath('/plain/x')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
    await expect(container().statPath('/plain/')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_CONFLICT' });
    await expect(container().statPath('/broken', { followLink: true })).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    await expect(container().statPath('')).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  it.each(both)('gives an archive named after the path (%s)', async (_name, container) => {
    const list = async (path: string) => tarList(await whole((await container().copyOut(path)).stream));
    const inside = ['hard', 'link -> sub/two', 'one link to %hard', 'sub/', 'sub/two'];
    const expected = (prefix: string) => [
      `drwxr-xr-x 0/0 ${prefix}`,
      ...inside.map((name) => prefix + name.replace('%', prefix)),
    ];
    const names = (lines: readonly string[]) =>
      lines.map((line, index) => (index === 0 ? line : line.split(' ').slice(2).join(' ')));
    expect(names(await list('/data'))).toEqual(expected('data/'));
    expect(names(await list('/todata/'))).toEqual(expected('todata/'));
    expect(names(await list('/todata/.'))).toEqual(expected('./'));
    expect(await list('/todata')).toEqual(['lrwxrwxrwx 0/0 todata -> /data']);
    expect(await list('/plain')).toEqual(['-rw-r--r-- 1000/50 plain']);
    expect(await list('/')).toContain('-rw-r--r-- 1000/50 plain');
  });

  it.each(both)('copies out to the host by the rules of docker cp (%s)', async (_name, container) => {
    const { there } = fresh();
    await container().copyOut('/data', there); // not there: becomes the copy
    expect(readdirSync(there).sort()).toEqual(['hard', 'link', 'one', 'sub']);
    expect(statSync(join(there, 'one')).mode & 0o7777).toBe(0o711);
    expect(statSync(join(there, 'one')).ino).toBe(statSync(join(there, 'hard')).ino);
    expect(readlinkSync(join(there, 'link'))).toBe('sub/two');
    await container().copyOut('/data', there); // there: the copy goes into it
    expect(readdirSync(join(there, 'data')).sort()).toEqual(['hard', 'link', 'one', 'sub']);
    mkdirSync(join(there, 'dot'));
    await container().copyOut('/data/.', join(there, 'dot'));
    expect(readdirSync(join(there, 'dot')).sort()).toEqual(['hard', 'link', 'one', 'sub']);
    await container().copyOut('/plain', join(there, 'renamed'));
    expect(readFileSync(join(there, 'renamed'), 'utf8')).toBe('plain\n');
    expect(statSync(join(there, 'renamed')).uid).toBe(0);
    await container().copyOut('/plain', join(there, 'owned'), { archive: true });
    expect(statSync(join(there, 'owned'))).toMatchObject({ uid: 1000, gid: 50 });
    await container().copyOut('/data/one', join(there, 'renamed')); // onto a file
    expect(readFileSync(join(there, 'renamed'), 'utf8')).toBe('one\n');
    await container().copyOut('/todata/link', join(there, 'followed'), { followLink: true });
    expect(lstatSync(join(there, 'followed')).isFile()).toBe(true);
    await container().copyOut('/todata', join(there, 'aslink'));
    await container().copyOut('/data/one', join(there, 'special'), { keepSpecial: true });
    expect(statSync(join(there, 'special')).mode & 0o7777).toBe(0o4711);
    // Where a link leads the kernel says, not its text.
    writeFileSync(join(there, 'beside'), 'untouched');
    symlinkSync('none/../beside', join(there, 'astray'));
    await expect(container().copyOut('/plain', join(there, 'astray'))).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    expect(readFileSync(join(there, 'beside'), 'utf8')).toBe('untouched');
    symlinkSync('sub/../sub/later', join(there, 'dangling'));
    await container().copyOut('/plain', join(there, 'dangling'));
    expect(readFileSync(join(there, 'sub/later'), 'utf8')).toBe('plain\n');
    expect(readlinkSync(join(there, 'aslink'))).toBe('/data');
    await expect(container().copyOut('/data', join(there, 'renamed'))).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    await expect(container().copyOut('/plain', join(there, 'none/'))).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    await expect(container().copyOut('/plain', join(there, 'none/none'))).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    // A directory of that name is in the way of the file, inside the destination.
    mkdirSync(join(there, 'sub2/plain'), { recursive: true });
    await expect(container().copyOut('/plain', join(there, 'sub2'))).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    expect(readdirSync(join(there, 'sub2/plain'))).toEqual([]);
  });

  it.each(both)('copies in from the host by the rules of docker cp (%s)', async (_name, container) => {
    const { there, into: inside } = fresh();
    mkdirSync(join(there, 'd/sub'), { recursive: true });
    writeFileSync(join(there, 'd/file'), 'content', { mode: 0o640 });
    writeFileSync(join(there, 'd/sub/file'), 'deep');
    symlinkSync('file', join(there, 'd/link'));
    chownSync(join(there, 'd/file'), 1234, 5678);
    const list = async (path: string) =>
      tarList(await whole((await container().copyOut(path)).stream)).map((line) => line.split(' ').slice(1).join(' '));
    const names = (name: string, owner: string) => [
      `0/0 ${name}/`,
      `${owner} ${name}/file`,
      `0/0 ${name}/link -> file`,
      `0/0 ${name}/sub/`,
      `0/0 ${name}/sub/file`,
    ];
    const name = inside.slice(1);
    await container().copyIn(join(there, 'd'), inside); // not there
    expect(await list(inside)).toEqual(names(name, '0/0'));
    await container().copyIn(join(there, 'd'), `${inside}/`, { archive: true }); // there
    expect(await list(`${inside}/d`)).toEqual(names('d', '1234/5678'));
    await container().copyIn(`${join(there, 'd')}/.`, '/empty', { archive: true });
    expect(await list('/empty')).toEqual(names('empty', '1234/5678'));
    await container().copyIn(join(there, 'd/link'), `${inside}/as-link`);
    expect((await container().statPath(`${inside}/as-link`)).linkTarget).toBe(`${inside}/file`);
    await container().copyIn(join(there, 'd/link'), `${inside}/as-file`, { followLink: true });
    expect(await contentOf(container(), `${inside}/as-file`)).toBe('content');
    await container().copyIn(join(there, 'd/sub/file'), '/data/one'); // onto a file
    expect(await contentOf(container(), '/data/one')).toBe('deep');
    await container().copyIn(join(there, 'd/file'), '/todata'); // through a link to a directory
    expect(await contentOf(container(), '/data/file')).toBe('content');
    for (const [from, to, code] of [
      ['d', '/plain', 'PATH_CONFLICT'],
      ['d/file', '/none/', 'PATH_NOT_FOUND'],
      ['d/file', '/none/none', 'PATH_NOT_FOUND'],
      ['d/file', '/plain/x', 'PATH_CONFLICT'],
      ['none', '/data', 'PATH_NOT_FOUND'],
      ['d/file/', '/data', 'PATH_CONFLICT'],
    ] as const)
      await expect(container().copyIn(`${there}/${from}`, to), `${from} to ${to}`).rejects.toMatchObject({
        code: `HAKO_ERR_${code}`,
      });
  });

  it.each(both)('puts archives and files in memory into a directory (%s)', async (_name, container) => {
    const { into: inside } = fresh();
    await container().copyIn(
      {
        files: {
          [`${inside}/a`]: 'text',
          [`${inside}/b`]: { content: Buffer.from([0, 255]), mode: 0o600, uid: 70_000, gid: 3_000_000 },
        },
      },
      '/',
    );
    expect(tarList(await whole((await container().copyOut(inside)).stream)).slice(1)).toEqual([
      `-rw-r--r-- 0/0 ${inside.slice(1)}/a`,
      `-rw------- 70000/3000000 ${inside.slice(1)}/b`,
    ]);
    const archive = tar(
      directory('./', 0o700, { uid: 5 }),
      directory('t'),
      file('t/x', 'x', { uid: 7, gid: 8 }),
      hardlink('t/y', 't/x'),
      symlink('t/z', '/data/one'),
      file('t/z/../w', 'w'),
    );
    const before = await container().statPath(inside);
    for (const form of [archive, gzipSync(archive)]) {
      await container().copyIn(Readable.from([form]), inside);
      expect(await contentOf(container(), `${inside}/t/y`)).toBe('x');
    }
    // Of the directory itself nothing is changed, as by docker.
    expect((await container().statPath(inside)).mode).toBe(before.mode);
    expect(tarList(await whole((await container().copyOut(`${inside}/t/x`)).stream))).toEqual(['-rw-r--r-- 7/8 x']);
    await container().copyIn(Readable.from([archive]), inside, { archive: false });
    expect(tarList(await whole((await container().copyOut(`${inside}/t/x`)).stream))).toEqual(['-rw-r--r-- 0/0 x']);
    const swap = tar(directory('t/x'), file('t/x/in', ''));
    await expect(container().copyIn(Readable.from([swap]), inside)).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    await container().copyIn(Readable.from([swap]), inside, { noOverwriteDirNonDir: false });
    expect((await container().statPath(`${inside}/t/x`)).type).toBe('directory');
    await expect(container().copyIn(Readable.from([tar(file('t', ''))]), inside)).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    await expect(container().copyIn(Readable.from([archive]), '/plain')).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    await expect(container().copyIn(Readable.from([archive]), '/none')).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    await expect(container().copyIn(Readable.from([archive.subarray(0, 1000)]), inside)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_ARCHIVE',
    });
    await expect(container().copyIn({ files: { '../up': '' } }, inside)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
    await expect(container().copyIn(7 as never, inside)).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  it('sees mounts as the container does, and keeps read-only ones so', async () => {
    const { there } = fresh();
    mkdirSync(join(there, 'shared'), { recursive: true });
    writeFileSync(join(there, 'shared/host'), 'from the host');
    const container = await prepared(opened.runtime, 'echo t > /scratch/t', {
      mounts: [
        { type: 'bind', source: join(there, 'shared'), target: '/deep/shared' },
        { type: 'bind', source: join(there, 'shared'), target: '/ro', readonly: true },
        { type: 'tmpfs', target: '/scratch' },
      ],
    });
    try {
      expect(await contentOf(container, '/scratch/t')).toBe('t\n');
      for (const state of ['running', 'stopped']) {
        expect(await contentOf(container, '/deep/shared/host'), state).toBe('from the host');
        await container.copyIn({ files: { [state]: '' } }, '/deep/shared');
        await expect(container.copyIn({ files: { x: '' } }, '/ro')).rejects.toMatchObject({ errno: 'EROFS' });
        expect(tarList(await whole((await container.copyOut('/deep')).stream)).at(-1)).toMatch(
          /deep\/shared\/(running|stopped)$/,
        );
        // An export is the root filesystem alone.
        expect(tarList(await whole(container.export())).some((line) => line.includes('shared/host'))).toBe(false);
        if (state === 'running') await container.stop({ timeout: 0 });
      }
      expect(readdirSync(join(there, 'shared')).sort()).toEqual(['host', 'running', 'stopped']);
    } finally {
      await container.remove({ force: true });
    }
  });

  it('leaves a read-only root alone, and copies into one that was never started', async () => {
    const sealed = await opened.runtime.containers.create({
      command: ['sleep', '1000'],
      image: busyboxImage,
      readonlyRoot: true,
      mounts: [{ type: 'tmpfs', target: '/home' }],
    });
    const made = await opened.runtime.containers.create({
      image: busyboxImage,
      mounts: [{ type: 'bind', source: host, target: '/made/for/it' }],
    });
    try {
      await expect(sealed.copyIn({ files: { x: '' } }, '/etc')).rejects.toMatchObject({ errno: 'EROFS' });
      await sealed.start();
      await expect(sealed.copyIn({ files: { x: '' } }, '/etc')).rejects.toMatchObject({ errno: 'EROFS' });
      await sealed.copyIn({ files: { x: '' } }, '/home');
      const { there } = fresh();
      await made.copyIn({ files: { [there.slice(host.length + 1)]: 'through the mount' } }, '/made/for/it');
      expect(readFileSync(there, 'utf8')).toBe('through the mount');
    } finally {
      await sealed.remove({ force: true });
      await made.remove({ force: true });
    }
  });

  it('copies into an ephemeral container that has ended', async () => {
    const container = await prepared(opened.runtime, 'echo a > /a', { ephemeral: true });
    try {
      await container.stop({ timeout: 0 });
      await container.copyIn({ files: { b: 'b' } }, '/');
      expect([await contentOf(container, '/a'), await contentOf(container, '/b')]).toEqual(['a\n', 'b']);
      await container.start();
      expect((await container.exec(['cat', '/a', '/b'])).stdout.toString()).toBe('a\nb');
    } finally {
      await container.remove({ force: true });
    }
  });

  it("refuses the kernel's own filesystems, and copies around them", async () => {
    for (const path of ['/proc/self', '/proc/sys/kernel/hostname', '/sys/kernel', '/dev/pts'])
      await expect(running.statPath(path), path).rejects.toMatchObject({
        code: expect.stringMatching(/PATH_(UNSUPPORTED|NOT_FOUND)/),
      });
    for (const path of ['/proc', '/proc/sys/kernel', '/sys'])
      await expect(running.copyIn({ files: { hostname: 'owned' } }, path), path).rejects.toMatchObject({
        code: 'HAKO_ERR_PATH_UNSUPPORTED',
      });
    await running.exec(['ln', '-s', '/proc/sys/kernel', '/data/kernel']);
    await expect(running.copyIn(Readable.from([tar(file('kernel/hostname', 'owned'))]), '/data')).rejects.toMatchObject(
      { code: 'HAKO_ERR_PATH_UNSUPPORTED' },
    );
    const list = tarList(await whole((await running.copyOut('/')).stream)).map((line) =>
      line.split(' ').slice(2).join(' '),
    );
    expect(list).toContain('proc/');
    expect(list.filter((name) => /^(proc|sys)\/./.test(name))).toEqual([]);
    expect(list).toContain('dev/null');
  });
});
