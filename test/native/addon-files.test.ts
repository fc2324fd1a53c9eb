import { execFileSync } from 'node:child_process';
import {
  existsSync,
  constants as fsConstants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { native } from './support/native-binding.ts';
import { openDescriptors } from './support/shell.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-addon-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('lock', () => {
  test('is refused while another descriptor has it, and goes with that descriptor', async () => {
    const file = join(directory, 'lock');
    writeFileSync(file, '');
    const [first, second] = [native.open(file, fsConstants.O_RDONLY), native.open(file, fsConstants.O_RDONLY)];
    expect(await native.lock(first, false)).toBe(true);
    expect(await native.lock(second, false)).toBe(false);
    const waiting = native.lock(second, true);
    native.close(first);
    expect(await waiting).toBe(true);
    native.close(second);
  });

  test('that many wait for leaves the thread pool to others', async () => {
    const file = join(directory, 'contended');
    writeFileSync(file, '');
    const holder = native.open(file, fsConstants.O_RDONLY);
    await native.lock(holder, true);
    const waiters = Array.from({ length: 12 }, () => native.open(file, fsConstants.O_RDONLY));
    const locked = Promise.all(
      waiters.map(async (fd) => {
        await native.lock(fd, true);
        native.close(fd);
      }),
    );
    expect(await native.readFileInRoot('/', 'proc/self/comm', 100)).not.toBeNull();
    native.close(holder);
    await locked;
  });
});

describe('readFileInRoot', () => {
  let root: string;
  beforeAll(() => {
    root = join(directory, 'root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    mkdirSync(join(root, 'inner'));
    writeFileSync(join(root, 'etc/passwd'), 'inside');
    writeFileSync(join(directory, 'passwd'), 'outside');
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    symlinkSync('../../../../etc/passwd', join(root, 'inner/climbing'));
    symlinkSync('/proc/self/root/etc/passwd', join(root, 'magic'));
    symlinkSync('loop', join(root, 'loop'));
    execFileSync('mkfifo', [join(root, 'fifo')]);
  });
  const read = async (path: string, limit = 100) => {
    const bytes = await native.readFileInRoot(root, path, limit);
    return bytes === null ? null : Buffer.from(bytes).toString();
  };

  test('reads, and resolves links and .. within the root', async () => {
    expect(await read('etc/passwd')).toBe('inside');
    expect(await read('absolute')).toBe('inside');
    expect(await read('inner/climbing')).toBe('inside');
    expect(await read('../../etc/passwd')).toBe('inside');
    // The positive control: an ordinary open of the same link reads the host's file.
    expect(readFileSync(join(root, 'absolute'), 'utf8')).toBe(readFileSync('/etc/passwd', 'utf8'));
  });

  test('gives null for what is not there', async () => {
    expect(await read('etc/nope')).toBeNull();
    expect(await read('etc/passwd/below')).toBeNull();
    expect(await read('magic')).toBeNull();
  });

  test('refuses what is no regular file without waiting for it, and what is too large', async () => {
    await expect(read('fifo')).rejects.toMatchObject({ code: 'HAKO_ERR_SYSCALL_FAILED', errno: 'EINVAL' });
    await expect(read('etc')).rejects.toMatchObject({ errno: 'EINVAL' });
    await expect(read('loop')).rejects.toMatchObject({ errno: 'ELOOP' });
    expect(await read('etc/passwd', 6)).toBe('inside');
    await expect(read('etc/passwd', 5)).rejects.toMatchObject({ errno: 'EFBIG' });
    await expect(native.readFileInRoot('/', 'dev/zero', 10)).rejects.toMatchObject({ errno: 'EINVAL' });
    // Its size is said to be 0; what counts is what is read.
    await expect(native.readFileInRoot('/', 'proc/self/status', 10)).rejects.toMatchObject({ errno: 'EFBIG' });
  });

  test('does not leave descriptors behind', async () => {
    const before = openDescriptors();
    for (const path of ['etc/passwd', 'nope', 'fifo', 'loop']) await read(path).catch(() => {});
    expect(openDescriptors()).toBe(before);
  });
});

describe('removeTree', () => {
  test('removes a tree without following its links, and takes one that is not there for done', async () => {
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'a/b/c'), { recursive: true });
    writeFileSync(join(tree, 'a/b/file'), '');
    mkdirSync(join(directory, 'kept'));
    writeFileSync(join(directory, 'kept/file'), '');
    symlinkSync('../kept', join(tree, 'link'));
    await native.removeTree(`${tree}//`);
    expect(existsSync(tree)).toBe(false);
    expect(existsSync(join(directory, 'kept/file'))).toBe(true);
    await native.removeTree(tree);
    await native.removeTree(join(directory, 'no/such/parent'));
  });

  test('never takes the root of the filesystem', async () => {
    await expect(native.removeTree('///')).rejects.toMatchObject({ errno: 'EINVAL' });
  });
});

test('spreadDirectories marks a directory for ext4, and is content with filesystems that have no such mark', () => {
  native.spreadDirectories(directory);
  native.spreadDirectories('/proc/self');
  expect(() => native.spreadDirectories(join(directory, 'absent'))).toThrow(
    expect.objectContaining({ errno: 'ENOENT' }),
  );
  const type = execFileSync('stat', ['-f', '-c', '%T', directory], { encoding: 'utf8' }).trim();
  if (type === 'ext2/ext3') expect(execFileSync('lsattr', ['-d', directory], { encoding: 'utf8' })).toMatch(/^\S*T/);
});

test('syncFilesystem works on a directory and fails on a bad descriptor', async () => {
  const fd = native.open(directory, fsConstants.O_RDONLY | fsConstants.O_DIRECTORY);
  await native.syncFilesystem(fd);
  native.close(fd);
  await expect(native.syncFilesystem(fd)).rejects.toMatchObject({ errno: 'EBADF' });
});

describe('readKernelFiles', () => {
  test('reads many at once, in order, and gives null for what is not there or not for anybody', async () => {
    const sizes = [0, 1, 4095, 4096, 4097, 9000];
    for (const size of sizes) writeFileSync(join(directory, `size-${size}`), 'é'.repeat(size).slice(0, size), 'latin1');
    const texts = await native.readKernelFiles([
      '/proc/self/comm',
      join(directory, 'absent'),
      ...sizes.map((size) => join(directory, `size-${size}`)),
      '/proc/self/comm/below',
      '/proc/stat',
    ]);
    expect(texts.length).toBe(sizes.length + 4);
    expect(texts[0]).toBe(readFileSync('/proc/self/comm', 'utf8'));
    expect([texts[1], texts[sizes.length + 2]]).toEqual([null, null]);
    expect(texts.slice(2, 2 + sizes.length).map((text) => text?.length)).toEqual(sizes);
    expect(texts.at(-1)).toMatch(/^cpu .*\nprocs_blocked \d+\n(.*\n)*$/s);
    expect(await native.readKernelFiles([])).toEqual([]);
  });

  test('reads no more of a file than a MiB, and fails for what is none', async () => {
    const large = join(directory, 'large');
    writeFileSync(large, Buffer.alloc(2 ** 20 + 10_000, 'x'));
    const [text] = await native.readKernelFiles([large]);
    expect(text?.length).toBe(2 ** 20);
    await expect(native.readKernelFiles(['/proc/self/comm', directory])).rejects.toMatchObject({ errno: 'EISDIR' });
    await expect(native.readKernelFiles(['a\0b'])).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  test('leaves no descriptor behind', async () => {
    const before = openDescriptors();
    for (let round = 0; round < 20; round++)
      await native.readKernelFiles(['/proc/self/comm', '/absent', '/proc/self/stat', '/proc/self/status']);
    expect(openDescriptors()).toEqual(before);
  });
});
