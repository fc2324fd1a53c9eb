/** What a copy asks of the worker: files that take their place when they are whole, and nothing left of the others. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Tree } from '../../src/native/worker.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, symlink, tar } from '../support/tar.ts';
import { plainRequest, Scratch, unpack, workerThrough } from './support/worker-process.ts';

const worker = workerThrough();
const treeOf = (base: string): Tree => ({ kind: 'directory', base, path: '' });
const temporary = '.hako-0123456789abcdef';

/** An archive that is cut off in the middle of its last file. */
async function* cutShort(archive: Buffer, seen: () => void): AsyncGenerator<Buffer> {
  yield archive.subarray(0, archive.length - 4096);
  seen();
  throw new Error('the source has ended');
}

describeWith({ root: true }, 'a file that is written aside', () => {
  test('takes the place of a file, of a link and of nothing, and of a directory only where that may go', async () => {
    using scratch = new Scratch();
    const root = scratch.path;
    for (const name of ['file', 'beside']) writeFileSync(join(root, name), 'old');
    linkSync(join(root, 'file'), join(root, 'hard'));
    symlinkSync('beside', join(root, 'link'));
    mkdirSync(join(root, 'taken/sub'), { recursive: true });
    const entries = ['file', 'link', 'none'].map((name) => file(name, 'new'));
    await unpack(tar(...entries), root, { temporary, keepKinds: true });
    for (const name of ['file', 'link', 'none']) {
      expect(readFileSync(join(root, name), 'utf8')).toBe('new');
      expect(lstatSync(join(root, name)).isFile()).toBe(true);
    }
    // The other names of what was replaced, and what it led to, are what they were.
    for (const name of ['hard', 'beside']) expect(readFileSync(join(root, name), 'utf8')).toBe('old');
    await expect(unpack(tar(file('taken', 'new')), root, { temporary, keepKinds: true })).rejects.toMatchObject({
      code: 'HAKO_ERR_PATH_CONFLICT',
    });
    await unpack(tar(file('taken', 'new')), root, { temporary });
    expect(readFileSync(join(root, 'taken'), 'utf8')).toBe('new');
    expect(readdirSync(root).sort()).toEqual(['beside', 'file', 'hard', 'link', 'none', 'taken']);
  });

  test('is found as what it is by the entries after it', async () => {
    using scratch = new Scratch();
    symlinkSync('elsewhere', join(scratch.path, 'way'));
    mkdirSync(join(scratch.path, 'elsewhere'));
    const entries = [file('way/one', '1'), file('way', 'a file now'), directory('way'), file('way/two', '2')];
    await unpack(tar(...entries), scratch.path, { temporary });
    expect(readdirSync(join(scratch.path, 'elsewhere'))).toEqual(['one']);
    expect(readdirSync(join(scratch.path, 'way'))).toEqual(['two']);
  });

  test('leaves what was there when its source ends too early; written in place, it does not', async () => {
    using scratch = new Scratch();
    const archive = tar(file('data', 'n'.repeat(200_000)));
    for (const [name, how] of [
      ['aside', { temporary }],
      ['in place', {}],
    ] as const) {
      const root = join(scratch.path, name);
      mkdirSync(root);
      writeFileSync(join(root, 'data'), 'old');
      let seen: readonly string[] = [];
      const source = cutShort(archive, () => {
        seen = readdirSync(root);
      });
      await expect(worker.unpack(plainRequest(root, how), source)).rejects.toThrow('the source has ended');
      const isThere = existsSync(join(root, 'data'));
      expect([name, isThere, seen.includes('data')]).toEqual(
        name === 'aside' ? ['aside', true, true] : ['in place', false, true],
      );
      if (isThere) expect(readFileSync(join(root, 'data'), 'utf8')).toBe('old');
      expect(readdirSync(root)).toEqual(isThere ? ['data'] : []);
    }
  });
});

describeWith({ root: true }, 'sweeping', () => {
  const laid = (root: string) => {
    mkdirSync(join(root, 'in/deep/er'), { recursive: true });
    mkdirSync(join(root, 'outside'));
    for (const place of ['', 'in', 'in/deep/er', 'outside']) writeFileSync(join(root, place, temporary), 'half');
    writeFileSync(join(root, 'in/deep', `${temporary}x`), 'another');
    symlinkSync('../outside', join(root, 'in/way'));
    symlinkSync('../outside', join(root, 'in/deep', temporary));
  };
  const halves = (root: string) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      // readdir goes into what links lead to.
      .filter((path) => path.endsWith(temporary) && !path.startsWith('in/way/'))
      .sort();

  test('takes away the files of one name in a directory, or in all below it, and follows no link there', async () => {
    using scratch = new Scratch();
    laid(scratch.path);
    const sweep = (place: string, below: boolean) =>
      worker.sweep({ tree: treeOf(scratch.path), idMappings: null, directory: place, name: temporary, below });
    expect(await sweep('in', false)).toBe(1);
    expect(halves(scratch.path)).toEqual(
      [temporary, `in/deep/${temporary}`, `in/deep/er/${temporary}`, `outside/${temporary}`].sort(),
    );
    expect(await sweep('in', true)).toBe(1);
    // A link of that name is nobody's half file.
    expect(halves(scratch.path)).toEqual([temporary, `in/deep/${temporary}`, `outside/${temporary}`].sort());
    expect(readlinkSync(join(scratch.path, 'in/deep', temporary))).toBe('../outside');
    for (const absent of ['none', 'none/deeper', `in/deep/${temporary}x`]) expect(await sweep(absent, true)).toBe(0);
    // Where a copy went through a link, so does this.
    expect(await sweep('in/way', false)).toBe(1);
    expect(await sweep('', true)).toBe(1);
  });

  test.each([
    ['a name of several components', { name: 'in/x' }],
    ['no name', { name: '' }],
    ['the directory above', { name: '..' }],
    ['a directory that leads out', { directory: '../outside' }],
  ])('is refused %s', async (_, wrong) => {
    using scratch = new Scratch();
    const request = { tree: treeOf(scratch.path), idMappings: null, directory: '', name: temporary, below: true };
    await expect(worker.sweep({ ...request, ...wrong })).rejects.toMatchObject({ code: 'HAKO_ERR_PROTOCOL_ERROR' });
    expect(await worker.sweep(request)).toBe(0);
  });

  test('keeps within the tree, whatever its links say', async () => {
    using scratch = new Scratch();
    const root = join(scratch.path, 'root');
    mkdirSync(root);
    await unpack(tar(symlink('out', scratch.path), symlink('up', '../..')), root, {});
    writeFileSync(join(scratch.path, temporary), 'of the host');
    for (const way of ['out', 'up'])
      await worker.sweep({ tree: treeOf(root), idMappings: null, directory: way, name: temporary, below: true });
    expect(readFileSync(join(scratch.path, temporary), 'utf8')).toBe('of the host');
  });
});
