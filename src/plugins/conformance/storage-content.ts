import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runMounted } from './mounted.ts';
import type { StorageDriverSubject } from './storage-driver.ts';
import { contentOf, freshDriver, key, lines, listing, makeLayer, name } from './storage-subject.ts';

interface ChangeCase {
  readonly title: string;
  readonly lower: string;
  readonly change: string;
  readonly after: readonly string[];
}

/** What is done on top of a committed snapshot, and what must then be seen: in the active one, and once it is committed. */
const changes: readonly ChangeCase[] = [
  { title: 'a new file', lower: 'echo a > a', change: 'echo b > b', after: ['a f 644 a', 'b f 644 b'] },
  { title: 'a file that is overwritten', lower: 'echo a > a', change: 'echo longer > a', after: ['a f 644 longer'] },
  {
    title: 'a file that is appended to',
    lower: 'echo a > a',
    change: 'printf "a\\n" >> a; wc -l < a > count; rm a',
    after: ['count f 644 2'],
  },
  { title: 'a file that is deleted', lower: 'echo a > a; echo b > b', change: 'rm a', after: ['b f 644 b'] },
  {
    title: 'a directory that is deleted',
    lower: 'mkdir -p d/e; echo a > d/e/a; echo b > b',
    change: 'rm -r d',
    after: ['b f 644 b'],
  },
  {
    title: 'a directory that is deleted and made anew',
    lower: 'mkdir d; echo old > d/old',
    change: 'rm -r d; mkdir d; echo new > d/new',
    after: ['d d 755', 'd/new f 644 new'],
  },
  {
    title: 'a directory in place of a file',
    lower: 'echo a > a',
    change: 'rm a; mkdir a; echo b > a/b',
    after: ['a d 755', 'a/b f 644 b'],
  },
  {
    title: 'a file in place of a directory',
    lower: 'mkdir a; echo b > a/b',
    change: 'rm -r a; echo a > a',
    after: ['a f 644 a'],
  },
  {
    title: 'a symbolic link in place of a directory',
    lower: 'mkdir a b; echo x > b/x',
    change: 'rmdir a; ln -s b a',
    after: ['a l -> b', 'b d 755', 'b/x f 644 x'],
  },
  { title: 'a file that is renamed', lower: 'echo a > a', change: 'mv a b', after: ['b f 644 a'] },
  {
    title: 'a file that is renamed over another',
    lower: 'echo a > a; echo b > b',
    change: 'mv a b',
    after: ['b f 644 a'],
  },
  {
    title: 'a directory that is renamed',
    lower: 'mkdir d; echo a > d/a',
    change: 'mv d e',
    after: ['e d 755', 'e/a f 644 a'],
  },
  {
    title: 'a file that moves to another directory',
    lower: 'mkdir d e; echo a > d/a',
    change: 'mv d/a e/a',
    after: ['d d 755', 'e d 755', 'e/a f 644 a'],
  },
  {
    title: 'a mode that is changed',
    lower: 'echo a > a; mkdir d',
    change: 'chmod 4711 a; chmod 1777 d',
    after: ['a f 4711 a', 'd d 1777'],
  },
  {
    title: 'a hard link to a file below',
    lower: 'echo a > a',
    change: 'ln a b; echo more > a',
    after: ['a f 644 more', 'b f 644 more'],
  },
  {
    title: 'a file in a deep directory of its parent',
    lower: 'mkdir -p a/b/c; echo 1 > a/b/c/1',
    change: 'echo 2 > a/b/c/2',
    after: ['a d 755', 'a/b d 755', 'a/b/c d 755', 'a/b/c/1 f 644 1', 'a/b/c/2 f 644 2'],
  },
  {
    title: 'names that are awkward',
    lower: "touch -- '-rf' 'a b' '.wh.ordinary-looking' 'é'",
    change: "rm -- '-rf' 'a b'",
    after: ['.wh.ordinary-looking f 644 ', 'é f 644 '],
  },
];

/** Snapshots behave as a filesystem does, and never lend their content to one another. */
export function storageContentCases(subject: StorageDriverSubject): void {
  it.each(changes)('shows $title, and leaves the parent as it was', async ({ lower, change, after }) => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, lower);
    const before = await contentOf(driver, 'A');
    expect(lines(runMounted(await driver.prepare(key('b'), name('A')), `${change}\n${listing}`))).toEqual(after);
    await driver.commit(name('B'), key('b'));
    expect(await contentOf(driver, 'B')).toEqual(after);
    expect(await contentOf(driver, 'A')).toEqual(before);
  });

  it('keeps what was written from one mount to the next', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'echo a > a');
    runMounted(await driver.prepare(key('b'), name('A')), 'echo b > b; rm a');
    expect(lines(runMounted(await driver.mounts(key('b')), listing))).toEqual(['b f 644 b']);
  });

  it('gives each child of a parent its own content', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'echo a > a');
    runMounted(await driver.prepare(key('one'), name('A')), 'echo one > a');
    runMounted(await driver.prepare(key('two'), name('A')), 'echo two > a');
    expect(runMounted(await driver.mounts(key('one')), 'cat a')).toBe('one\n');
    expect(runMounted(await driver.mounts(key('two')), 'cat a')).toBe('two\n');
  });

  it('shows a view that cannot be written, of one layer and of several', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'echo a > a');
    await makeLayer(driver, 'B', 'A', 'echo b > b');
    for (const layer of ['A', 'B']) {
      const mounts = await driver.view(key(`view-${layer}`), name(layer));
      expect(() => runMounted(mounts, 'echo x > a'), layer).toThrow(/Read-only file system/);
      expect(() => runMounted(mounts, 'rm a'), layer).toThrow(/Read-only file system/);
      expect(runMounted(mounts, 'cat a')).toBe('a\n');
    }
  });

  it('carries deletions through further layers', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'mkdir d; echo 1 > d/1; echo 2 > d/2');
    await makeLayer(driver, 'B', 'A', 'rm d/1');
    await makeLayer(driver, 'C', 'B', 'echo 3 > d/3');
    await makeLayer(driver, 'D', 'C', 'rm -r d; mkdir d; echo 4 > d/4');
    await makeLayer(driver, 'E', 'D', 'echo 1 > d/1');
    expect(await contentOf(driver, 'C')).toEqual(['d d 755', 'd/2 f 644 2', 'd/3 f 644 3']);
    expect(await contentOf(driver, 'E')).toEqual(['d d 755', 'd/1 f 644 1', 'd/4 f 644 4']);
  });

  it('stacks 128 layers', { timeout: 120_000 }, async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    let below: string | null = null;
    for (let index = 1; index <= 128; index++) {
      const working = key(`w${index}`);
      await driver.prepare(working, below === null ? null : name(below));
      const { directory } = await driver.unpackTarget(working);
      writeFileSync(join(directory, 'last'), `${index}\n`);
      writeFileSync(join(directory, `own-${index}`), '');
      below = `l${index}`;
      await driver.commit(name(below), working);
    }
    expect(
      runMounted(await driver.prepare(key('top'), name('l128')), 'cat last; ls | wc -l; rm own-1; ls | wc -l'),
    ).toBe('128\n129\n128\n');
  });

  it('gives a child the mode of its parent’s root directory', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'chmod 1711 .');
    const mounts = await driver.prepare(key('b'), name('A'));
    expect(runMounted(mounts, 'stat -c %a .')).toBe('1711\n');
    await driver.commit(name('B'), key('b'));
    expect(runMounted(await driver.view(key('v'), name('B')), 'stat -c %a .')).toBe('1711\n');
  });

  it.runIf(process.getuid?.() === 0)('keeps owners, attributes and device nodes', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'chown 12:34 .; echo a > a; chown 1000:2000 a; mknod null c 1 3; mkfifo pipe');
    const look = 'stat -c "%n %u %g %F %t %T" . a null pipe';
    const expected =
      '. 12 34 directory 0 0\na 1000 2000 regular file 0 0\nnull 0 0 character special file 1 3\npipe 0 0 fifo 0 0\n';
    expect(runMounted(await driver.prepare(key('b'), name('A')), look)).toBe(expected);
    expect(runMounted(await driver.mounts(key('b')), `chown 5:6 a; ${look}`)).toBe(
      expected.replace('1000 2000', '5 6'),
    );
    expect(runMounted(await driver.view(key('v'), name('A')), look)).toBe(expected);
  });

  it('shows what is put into its unpack target', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'echo a > a');
    const mounts = await driver.prepare(key('b'), name('A'));
    const { directory, whiteouts } = await driver.unpackTarget(key('b'));
    expect(['overlay', 'overlay-userxattr', 'apply']).toContain(whiteouts);
    mkdirSync(join(directory, 'etc'));
    writeFileSync(join(directory, 'etc', 'hosts'), '127.0.0.1\n');
    expect(lines(runMounted(mounts, listing))).toEqual(['a f 644 a', 'etc d 755', 'etc/hosts f 644 127.0.0.1']);
  });

  it('counts what a snapshot alone takes', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'head -c 1000000 /dev/urandom > large');
    const lower = await driver.usage(name('A'));
    expect(lower.bytes).toBeGreaterThan(900_000);
    expect(lower.inodes).toBeGreaterThanOrEqual(2);
    runMounted(await driver.prepare(key('b'), name('A')), 'touch 1 2 3; head -c 2000000 /dev/urandom > larger');
    const upper = await driver.usage(key('b'));
    expect(upper.bytes).toBeGreaterThan(1_900_000);
    expect(upper.inodes).toBeGreaterThanOrEqual(5);
    await driver.view(key('v'), name('A'));
    expect((await driver.usage(key('v'))).bytes).toBeLessThan(100_000);
  });

  it('describes an active snapshot with text', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    await driver.prepare(key('b'), name('A'));
    for (const value of Object.values(await driver.describe(key('b')))) expect(value).toMatch(/^\//);
  });
}
