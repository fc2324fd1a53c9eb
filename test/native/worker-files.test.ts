/** Looking at paths, packing parts of a tree, comparing trees: as the worker does it, whatever asks for it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { memoryArchive } from '../../src/container/files/memory-archive.ts';
import type { CompareRequest, PackRequest, Tree } from '../../src/native/worker.ts';
import { tarList, whole } from '../support/file-cases.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, tar } from '../support/tar.ts';
import { plainRequest, Scratch, workerThrough } from './support/worker-process.ts';

const worker = workerThrough();
const treeOf = (base: string): Tree => ({ kind: 'directory', base, path: '' });

async function pack(base: string, request: Partial<PackRequest>): Promise<Buffer> {
  const output = new PassThrough();
  const [content] = await Promise.all([
    whole(output),
    worker
      .pack({ tree: treeOf(base), idMappings: null, whiteouts: false, owners: false, ...request }, output)
      .catch((error: unknown) => {
        output.end();
        throw error;
      }),
  ]);
  return content;
}

async function compare(own: string, parent: string | null, more: Partial<CompareRequest> = {}): Promise<Buffer> {
  const output = new PassThrough();
  const request: CompareRequest = {
    own: { kind: 'directory', base: own, path: '' },
    parent: parent === null ? null : { kind: 'directory', base: parent, path: '' },
    marks: false,
    owners: false,
    output: 'list',
    idMappings: null,
    ...more,
  };
  const [content] = await Promise.all([whole(output), worker.compare(request, output)]);
  return content;
}

const lines = (list: Buffer) =>
  list
    .toString()
    .split('\0')
    .slice(0, -1)
    .map((line) => `${line[0]} ${line.slice(1)}`);
const sh = (cwd: string, script: string) => void execFileSync('sh', ['-euc', script], { cwd });

describeWith({ root: true, tools: ['tar', 'mknod', 'setfattr'] }, 'the worker on the files of a tree', () => {
  test('looks at paths, resolved inside', async () => {
    using scratch = new Scratch();
    sh(
      scratch.path,
      'mkdir -p a/b; echo 1 > a/b/f; ln -s /a/b in; ln -s ../../../../a up; ln -s /x/../y/z broken; ln -s loop loop; ln -s a/b/f end',
    );
    const stat = (path: string, follow = false) => worker.stat(treeOf(scratch.path), path, follow, null);
    expect(await stat('in/f')).toMatchObject({ resolved: 'a/b/f', linkTarget: null, size: 2 });
    expect(await stat('up/b/f')).toMatchObject({ resolved: 'a/b/f' });
    expect(await stat('in')).toMatchObject({ resolved: 'in', linkTarget: 'a/b' });
    expect(await stat('in', true)).toMatchObject({ resolved: 'a/b', linkTarget: null });
    expect(await stat('end', true)).toMatchObject({ resolved: 'a/b/f' });
    expect(await stat('broken')).toMatchObject({ linkTarget: 'y/z' });
    expect(await stat('')).toMatchObject({ resolved: '' });
    for (const [path, follow] of [
      ['none', false],
      ['broken', true],
      ['a/b/f/x', false],
      ['in/../none', false],
    ] as const)
      await expect(
        stat(path, follow).catch(({ code }) => code),
        path,
      ).resolves.toMatch(/HAKO_ERR_(PATH_NOT_FOUND|PROTOCOL_ERROR)/);
    await expect(stat('loop', true)).rejects.toMatchObject({ errno: 'ELOOP' });
    await expect(stat('loop')).rejects.toMatchObject({ errno: 'ELOOP' });
    await expect(stat('x'.repeat(300))).rejects.toMatchObject({ errno: 'ENAMETOOLONG' });
    await expect(stat('../x')).rejects.toMatchObject({ code: 'HAKO_ERR_PROTOCOL_ERROR' });
    await expect(worker.stat(treeOf('/proc'), 'version', false, null)).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_UNSUPPORTED',
    });
  });

  test('packs a part of a tree, under another name', async () => {
    using scratch = new Scratch();
    sh(scratch.path, 'mkdir -p a/b; echo 1 > a/b/f; ln a/b/f a/b/g; ln -s /a in');
    const names = async (request: Partial<PackRequest>) =>
      tarList(await pack(scratch.path, request)).map((line) => line.split(' ').slice(2).join(' '));
    expect(await names({ path: 'in/b', name: 'n' })).toEqual(['n/', 'n/f', 'n/g link to n/f']);
    expect(await names({ path: 'a/b/f', name: 'n' })).toEqual(['n']);
    expect(await names({ path: 'in', name: 'n' })).toEqual(['n -> /a']);
    expect(await names({ path: 'a/b', name: '.' })).toEqual(['./', './f', './g link to ./f']);
    expect(await names({ path: 'a/b' })).toEqual(['./', 'f', 'g link to f']);
    await expect(pack(scratch.path, { path: 'a/none', name: 'n' })).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_NOT_FOUND',
    });
    await expect(pack(scratch.path, { path: 'a', name: 'n/m' })).rejects.toMatchObject({
      code: 'HAKO_ERR_PROTOCOL_ERROR',
    });
  });

  test('unpacks below a directory, through the links of the tree', async () => {
    using scratch = new Scratch();
    sh(scratch.path, 'mkdir -p a/b; ln -s /a in; chmod 700 a/b; echo old > a/b/taken');
    const unpack = (archive: Buffer, more = {}) =>
      worker.unpack(
        plainRequest(scratch.path, { at: 'in/b', keepRoot: true, keepKinds: true, owner: { uid: 5, gid: 6 }, ...more }),
        Readable.from([archive]),
      );
    await unpack(tar(directory('./', 0o777), file('x', '1', { uid: 1 }), file('/y/z', '2')));
    expect(readFileSync(join(scratch.path, 'a/b/y/z'), 'utf8')).toBe('2');
    expect(execFileSync('stat', ['-c', '%u %g', 'a/b/x'], { cwd: scratch.path, encoding: 'utf8' })).toBe('5 6\n');
    expect(execFileSync('stat', ['-c', '%a', 'a/b'], { cwd: scratch.path, encoding: 'utf8' })).toBe('700\n');
    for (const archive of [tar(directory('taken')), tar(file('y', ''))])
      await expect(unpack(archive)).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_CONFLICT' });
    for (const name of ['../../x', '../x', 'y/../../x'])
      await expect(unpack(tar(file(name, ''))), name).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' });
    const deep = Buffer.concat([...memoryArchive({ [`${'d/'.repeat(2045)}f`]: '' })]);
    await expect(unpack(deep, { limits: { pathDepth: 5000 } })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_ARCHIVE',
    });
  });

  test('compares whole trees', async () => {
    using scratch = new Scratch();
    sh(
      scratch.path,
      'mkdir -p old/d/e old/same; echo 1 > old/d/1; echo 2 > old/d/e/2; echo 3 > old/3; ln -s a old/l; cp -a old new; rm new/d/1; echo 22 > new/d/e/2; mkdir new/made; echo x > new/made/x; rm new/3; mkdir new/3; setfattr -n user.a -v b new/same',
    );
    const [own, parent] = [join(scratch.path, 'new'), join(scratch.path, 'old')];
    expect(lines(await compare(own, parent)).sort()).toEqual([
      'A made',
      'A made/x',
      'C 3',
      'C d',
      'C d/e',
      'C d/e/2',
      'C same',
      'D d/1',
    ]);
    expect(lines(await compare(own, own))).toEqual([]);
    expect(lines(await compare(join(parent, 'd'), null))).toEqual(['A 1', 'A e', 'A e/2']);
    const layer = tarList(await compare(own, parent, { output: 'layer' })).map((line) =>
      line.split(' ').slice(2).join(' '),
    );
    expect([...layer].sort()).toEqual(['3/', 'd/', 'd/.wh.1', 'd/e/', 'd/e/2', 'made/', 'made/x', 'same/']);
    // A directory comes before what is in it.
    for (const [index, name] of layer.entries())
      for (const above of layer.slice(index + 1)) expect(name.startsWith(above) && above.endsWith('/')).toBe(false);
  });

  test("compares by overlayfs's marks", async () => {
    using scratch = new Scratch();
    sh(
      scratch.path,
      `mkdir -p low/d/e low/op low/gone; echo 1 > low/d/1; echo 2 > low/d/e/2; echo 3 > low/op/3; echo 4 > low/op/4
      mkdir -p up/d/e up/op; mknod up/gone c 0 0; mknod up/never c 0 0; mknod up/d/1 c 0 0; echo n > up/d/e/n; echo 4 > up/op/4; touch -r low/op/4 up/op/4
      setfattr -n trusted.overlay.opaque -v y up/op; echo no > up/.wh.odd; mkdir up/.wh.dir; echo no > up/.wh.dir/in`,
    );
    const [own, parent] = [join(scratch.path, 'up'), join(scratch.path, 'low')];
    const list = lines(await compare(own, parent, { marks: true })).sort();
    expect(list).toEqual([
      'A .wh.dir',
      'A .wh.dir/in',
      'A .wh.odd',
      'A d/e/n',
      'C d',
      'C d/e',
      'C op',
      'D d/1',
      'D gone',
      'D op/3',
    ]);
    const layer = tarList(await compare(own, parent, { marks: true, output: 'layer' })).map((line) =>
      line.split(' ').slice(2).join(' '),
    );
    // What is in the upper directory may have another content in spite of its time.
    expect([...layer].sort()).toEqual(['.wh.gone', 'd/', 'd/.wh.1', 'd/e/', 'd/e/n', 'op/', 'op/.wh.3', 'op/4']);
  });

  test('compares trees that are deeper than a path can be long', async () => {
    using scratch = new Scratch();
    for (const name of ['old', 'new'])
      sh(
        scratch.path,
        `mkdir ${name}; cd -P ${name}; i=0; while [ $i -lt 60 ]; do d=$(printf 'd%.0s' $(seq 200)); mkdir $d; cd -P $d; i=$((i+1)); done; echo ${name} > f`,
      );
    const list = lines(await compare(join(scratch.path, 'new'), join(scratch.path, 'old')));
    expect(list).toHaveLength(61);
    expect(list.at(-1)?.length).toBeGreaterThan(12_000);
  });

  test('puts a root together of mounts', async () => {
    using scratch = new Scratch();
    sh(
      scratch.path,
      'mkdir -p lower/etc lower/real upper work base shared/deep; echo l > lower/etc/l; ln -s /real lower/link; echo s > shared/s; echo one > one',
    );
    const at = (name: string) => join(scratch.path, name);
    const tree: Tree = {
      kind: 'mounts',
      base: at('base'),
      mounts: [
        {
          kind: 'overlay',
          target: '',
          readonly: false,
          lower: [at('lower')],
          upper: { path: at('upper'), work: at('work') },
          userxattr: false,
          options: [['index', 'off']],
        },
        { kind: 'bind', target: '/link/made', readonly: true, source: at('shared'), recursive: true },
        { kind: 'bind', target: '/etc/file', readonly: false, source: at('one'), recursive: false },
      ],
    };
    const names = tarList(await pack('', { tree })).map((line) => line.split(' ').slice(2).join(' '));
    expect(names).toEqual([
      './',
      'etc/',
      'etc/file',
      'etc/l',
      'link -> /real',
      'real/',
      'real/made/',
      'real/made/deep/',
      'real/made/s',
    ]);
    const put = (path: string) =>
      worker.unpack({ ...plainRequest(''), tree, at: path }, Readable.from([tar(file('new', ''))]));
    await put('etc');
    expect(readFileSync(at('upper/etc/new'), 'utf8')).toBe('');
    await expect(put('real/made')).rejects.toMatchObject({ errno: 'EROFS' });
    const wrong = {
      ...tree,
      mounts: [
        ...tree.mounts,
        { kind: 'bind', target: '/x', readonly: false, source: at('none'), recursive: false } as const,
      ],
    };
    await expect(worker.stat(wrong, 'etc', false, null)).rejects.toMatchObject({ errno: 'ENOENT', operation: 'mount' });
  });
});
