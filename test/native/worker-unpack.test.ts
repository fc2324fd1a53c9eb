/** What a sound archive must become: every format and kind of entry, as root. */
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { Worker } from '../../src/native/worker.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { device, directory, file, hardlink, paxHeader, symlink, tar, tarEntry } from '../support/tar.ts';
import { treeListing } from '../support/tree-listing.ts';
import { binding, files, plainRequest, Scratch, unpack, workerThrough } from './support/worker-process.ts';

const mode = (path: string): number => lstatSync(path).mode & 0o7777;

describeWith({ root: true }, 'entries', () => {
  test('owners, modes and times, set-id bits after the owner', async () => {
    using scratch = new Scratch();
    const at = (name: string): string => join(scratch.path, name);
    const result = await unpack(
      tar(
        directory('./', 0o710, { uid: 5, gid: 6, mtime: 1000 }),
        directory('d', 0o3775, { uid: 1, gid: 2, mtime: 2000 }),
        file('d/su', 'x', { mode: 0o6755, uid: 1000, gid: 1001, pax: { mtime: '1234567890.123456789' } }),
        symlink('d/l', '/etc', { uid: 3, gid: 4, mtime: 3000 }),
        device('d/null', 'c', 1, 3),
        device('d/disk', 'b', 8, 1),
        { type: '6', name: 'd/fifo', mode: 0o640, uid: 9 },
      ),
      scratch.path,
    );
    expect(result).toMatchObject({ entries: 7, bytesWritten: 1, devicesSkipped: 0, xattrsDropped: 0 });
    const su = statSync(at('d/su'), { bigint: true });
    expect([su.mode & 0o7777n, su.uid, su.gid, su.mtimeNs]).toEqual([0o6755n, 1000n, 1001n, 1234567890123456789n]);
    expect(statSync(at('d'))).toMatchObject({ mode: 0o43775, uid: 1, gid: 2, mtimeMs: 2_000_000 });
    expect(statSync(scratch.path)).toMatchObject({ mode: 0o40710, uid: 5, gid: 6, mtimeMs: 1_000_000 });
    expect(lstatSync(at('d/l'))).toMatchObject({ uid: 3, gid: 4, mtimeMs: 3_000_000 });
    expect(lstatSync(at('d/null'))).toMatchObject({ mode: 0o20666, rdev: 0x103 });
    expect(lstatSync(at('d/disk'))).toMatchObject({ mode: 0o60666, rdev: 0x801 });
    expect(lstatSync(at('d/fifo'))).toMatchObject({ mode: 0o10640, uid: 9 });
  });

  test('a directory that nobody may write to still gets its entries, in any order', async () => {
    using scratch = new Scratch();
    await unpack(tar(directory('d', 0o000), file('d/e/f', 'x'), directory('d/e', 0o500)), scratch.path);
    expect([mode(join(scratch.path, 'd')), mode(join(scratch.path, 'd/e'))]).toEqual([0, 0o500]);
  });

  test('a directory removed and made anew gets its own mode, whatever inode it has', async () => {
    using scratch = new Scratch();
    await unpack(
      tar(directory('a', 0o711), file('a', 'x'), directory('b', 0o751), directory('a', 0o741)),
      scratch.path,
    );
    expect([mode(join(scratch.path, 'a')), mode(join(scratch.path, 'b'))]).toEqual([0o741, 0o751]);
  });

  test('the later of two entries wins, of whatever kinds', async () => {
    const kinds = {
      file: file('x', 'new'),
      directory: directory('x', 0o750),
      symlink: symlink('x', 'target'),
      fifo: { type: '6', name: 'x' },
      hardlink: hardlink('x', 'other'),
      device: device('x', 'c', 1, 3),
    };
    for (const first of Object.values(kinds)) {
      for (const [kind, second] of Object.entries(kinds)) {
        using scratch = new Scratch();
        await unpack(tar(file('other'), first, second), scratch.path);
        const status = lstatSync(join(scratch.path, 'x'));
        expect([
          status.isFile(),
          status.isDirectory(),
          status.isSymbolicLink(),
          status.isFIFO(),
          status.isCharacterDevice(),
        ]).toEqual([
          kind === 'file' || kind === 'hardlink',
          kind === 'directory',
          kind === 'symlink',
          kind === 'fifo',
          kind === 'device',
        ]);
      }
    }
  });

  test('a directory over a directory keeps what is in it; a file over a full one takes its place', async () => {
    using scratch = new Scratch();
    await unpack(tar(directory('d'), file('d/old', 'x'), directory('e'), file('e/old/deep', 'x')), scratch.path);
    await unpack(tar(directory('d', 0o700), file('e', 'file')), scratch.path);
    expect(readFileSync(join(scratch.path, 'd/old'), 'utf8')).toBe('x');
    expect(readFileSync(join(scratch.path, 'e'), 'utf8')).toBe('file');
  });

  test('hard links share their file, and its metadata stays what the file said', async () => {
    using scratch = new Scratch();
    await unpack(
      tar(
        file('a', 'x', { mode: 0o640, uid: 7 }),
        hardlink('d/b', './a', { mode: 0o777, uid: 0 }),
        hardlink('/c', '/d/b'),
      ),
      scratch.path,
    );
    const [a, b, c] = ['a', 'd/b', 'c'].map((name) => lstatSync(join(scratch.path, name)));
    expect([b?.ino, c?.ino]).toEqual([a?.ino, a?.ino]);
    expect(a).toMatchObject({ nlink: 3, mode: 0o100640, uid: 7 });
  });

  test('file capabilities and user attributes are kept', async () => {
    using scratch = new Scratch();
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const pax = {
      'SCHILY.xattr.security.capability': capability,
      'SCHILY.xattr.user.binary': Buffer.from([0, 10, 61, 255]),
    };
    await unpack(
      tar(
        file('ping', 'x', { mode: 0o755, uid: 1, pax }),
        directory('d', 0o755, { pax: { 'SCHILY.xattr.user.note': 'of a directory' } }),
      ),
      scratch.path,
    );
    const hex = (path: string, name: string): string =>
      execFileSync('getfattr', ['-e', 'hex', '--only-values', '-n', name, path], { cwd: scratch.path }).toString('hex');
    expect(hex('ping', 'security.capability')).toBe(capability.toString('hex'));
    expect(hex('ping', 'user.binary')).toBe('000a3dff');
    expect(hex('d', 'user.note')).toBe(Buffer.from('of a directory').toString('hex'));
  });

  test('global PAX headers, and what erases them', async () => {
    using scratch = new Scratch();
    const archive = Buffer.concat([
      paxHeader('g', { mtime: '5.5', uid: '77', comment: 'x' }),
      tarEntry(file('a')),
      tarEntry(file('b', '', { uid: 3, pax: { uid: '', mtime: '-1.25' } })),
      Buffer.alloc(1024),
    ]);
    await unpack(archive, scratch.path);
    const [a, b] = ['a', 'b'].map((name) => lstatSync(join(scratch.path, name), { bigint: true }));
    expect([a?.uid, a?.mtimeNs, b?.uid, b?.mtimeNs]).toEqual([77n, 5_500_000_000n, 3n, -1_250_000_000n]);
  });

  test('v7, prefixes, long names, base-256 numbers', async () => {
    using scratch = new Scratch();
    const long = `${'n'.repeat(90)}/${'m'.repeat(90)}`;
    await unpack(
      tar(
        { name: 'old/', format: 'v7' },
        { name: 'old/f', format: 'v7', data: 'v7' },
        { name: 'f', prefix: 'some/prefix', data: 'prefix' },
        { name: 'cut', format: 'gnu', gnuLongName: long, data: 'gnu', uid: 3_000_000, mtime: -86_400 },
        { type: '2', name: 'l', format: 'gnu', gnuLongLink: long },
        { name: 'x', pax: { path: `${long}/pax` } },
      ).subarray(0),
      scratch.path,
    ).then(
      () => expect.unreachable('a file has entries in it'),
      (error: Error) => expect(error.message).toContain('is not a directory'),
    );
    expect(readFileSync(join(scratch.path, 'old/f'), 'utf8')).toBe('v7');
    expect(readFileSync(join(scratch.path, 'some/prefix/f'), 'utf8')).toBe('prefix');
    expect(readlinkSync(join(scratch.path, 'l'))).toBe(long);
    expect(statSync(join(scratch.path, long))).toMatchObject({ uid: 3_000_000, mtimeMs: -86_400_000 });
  });

  test('a mount point inside, and a symlink as the tree itself, are not entered', async () => {
    using scratch = new Scratch();
    mkdirSync(join(scratch.path, 'real'));
    symlinkSync('real', join(scratch.path, 'link'));
    const tree = { kind: 'directory', base: scratch.path, path: 'link', make: false } as const;
    await expect(unpack(tar(file('a')), scratch.path, { tree })).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'ELOOP',
    });
  });
});

interface Tool {
  readonly name: string;
  readonly pack: (format: string) => readonly string[];
  readonly unpack: readonly [string, ...string[]];
  /** Lines in which that tool falls short: bsdtar gives the root no time, Python gives links none. */
  readonly unlike?: RegExp;
  /** It reads times as floating-point numbers. */
  readonly coarse?: true;
}

/** What the formats of other tools become, next to what those tools make of them. */
const tools: readonly Tool[] = [
  {
    name: 'GNU tar',
    pack: (format: string) => ['tar', `--format=${format}`, '-cf', '-', '.'],
    unpack: ['tar', '-xpf', '-', '--numeric-owner'],
  },
  {
    name: 'GNU tar, sparse',
    pack: (format: string) => ['tar', `--format=${format}`, '-S', '-cf', '-', '.'],
    unpack: ['tar', '-xpf', '-', '--numeric-owner'],
  },
  {
    name: 'GNU tar, attributes',
    pack: () => ['tar', '--format=pax', '--xattrs', '--xattrs-include=*', '-cf', '-', '.'],
    unpack: ['tar', '-xpf', '-', '--numeric-owner', '--xattrs', '--xattrs-include=*'],
  },
  {
    name: 'bsdtar',
    pack: (format: string) => ['bsdtar', `--format=${{ gnu: 'gnutar' }[format] ?? format}`, '-cf', '-', '.'],
    unpack: ['bsdtar', '-xpf', '-', '--numeric-owner'],
    unlike: /^\|d\|/,
  },
  {
    name: 'Python',
    pack: (format: string) => [
      'python3',
      '-c',
      `import sys,tarfile; tarfile.open(fileobj=sys.stdout.buffer,mode="w|",format=tarfile.${format.toUpperCase()}_FORMAT).add(".")`,
    ],
    unpack: [
      'python3',
      '-c',
      'import sys,tarfile; tarfile.open(fileobj=sys.stdin.buffer,mode="r|").extractall(numeric_owner=True)',
    ],
    unlike: /\|l\|/,
    coarse: true,
  },
];

/** Something of everything that all the formats can hold. */
function makeTree(root: string): void {
  const script = `
    umask 022; mkdir -p d/e/deep; echo hello > d/f; printf '' > d/empty; ln d/f d/e/hard; ln -s ../f d/e/soft; ln -s /absolute/nowhere dangling
    mkfifo p; mknod null c 1 3; mknod disk b 8 1; chmod 4755 d/f; chmod 2775 d; chmod 1777 d/e; chown 1000:1001 d/empty; chown -h 5:6 d/e/soft
    head -c 300000 /dev/urandom > random; truncate -s 5M holes; printf x | dd of=holes bs=1 seek=2000000 conv=notrunc status=none
    touch -d '2001-02-03 04:05:06' d/f; touch "$(printf 'n%.0s' $(seq 90))"; mkdir -p "$(printf 'p%.0s' $(seq 80))/$(printf 'q%.0s' $(seq 60))"; touch "$(printf 'p%.0s' $(seq 80))/$(printf 'q%.0s' $(seq 60))/f"
    touch 'with space' ./-dash 'é'; touch -d '1969-12-31 00:00:00 UTC' d/empty; touch -d '1999-01-01' d/e d .`;
  execFileSync('sh', ['-c', script], { cwd: root });
}

describeWith({ root: true, tools: ['tar', 'python3', 'setfattr'] }, 'the same as other tools make of it', () => {
  const cases = tools
    .flatMap((tool) => ['gnu', 'pax', 'ustar'].map((format) => ({ tool, format })))
    .filter(
      ({ tool, format }) =>
        !(tool.name.includes('sparse') && format === 'ustar') &&
        !(tool.name.includes('attributes') && format !== 'pax'),
    );
  for (const { tool, format } of cases) {
    const [program] = tool.unpack;
    // libarchive-tools is no part of a common installation; CI has it.
    test.skipIf(program === 'bsdtar' && findTool(program) === undefined && process.env['HAKO_TEST_STRICT'] !== '1')(
      `${tool.name}, ${format}`,
      async () => {
        using scratch = new Scratch();
        const at = (name: string): string => join(scratch.path, name);
        for (const name of ['source', 'theirs', 'ours']) mkdirSync(at(name));
        makeTree(at('source'));
        // A time before the epoch has no place in ustar.
        if (format === 'ustar') execFileSync('touch', ['-d', '2000-01-01', 'd/empty'], { cwd: at('source') });
        if (tool.name.includes('attributes')) {
          execFileSync('setfattr', ['-n', 'user.a', '-v', 'b', 'd/f'], { cwd: at('source') });
          execFileSync('setcap', ['cap_net_raw+ep', 'random'], { cwd: at('source') });
        }
        const [packer, ...arguments_] = tool.pack(format);
        const archive = execFileSync(packer as string, arguments_, { cwd: at('source'), maxBuffer: 64 << 20 });
        execFileSync(program, tool.unpack.slice(1), { cwd: at('theirs'), input: archive });
        await unpack(archive, at('ours'));
        const alike = (tree: string): string[] =>
          treeListing(at(tree))
            .filter((line) => tool.unlike?.test(line) !== true)
            .map((line) => (tool.coarse === true ? line.replace(/\.\d+\|/, '|') : line));
        expect(alike('ours')).toEqual(alike('theirs'));
        if (tool.name.includes('sparse'))
          expect(lstatSync(join(at('ours'), 'holes')).blocks).toBeLessThanOrEqual(
            lstatSync(join(at('theirs'), 'holes')).blocks,
          );
      },
    );
  }
});

describeWith({ root: true }, 'by way of the addon', () => {
  test('the same worker, from a sealed copy', async () => {
    using scratch = new Scratch();
    const worker = await Worker.open(binding, files.worker);
    const archive = join(scratch.path, 'a.tar');
    writeFileSync(archive, tar(file('a', Buffer.alloc(3_000_000, 'x'))));
    mkdirSync(join(scratch.path, 'tree'));
    const result = await worker.unpack(plainRequest(join(scratch.path, 'tree')), createReadStream(archive));
    expect(result).toMatchObject({ entries: 1, bytesWritten: 3_000_000 });
    await expect(worker.unpack(plainRequest(join(scratch.path, 'absent')), Readable.from([]))).rejects.toMatchObject({
      errno: 'ENOENT',
    });
    await expect(
      worker.unpack(plainRequest(join(scratch.path, 'tree')), Readable.from(['garbage'.repeat(100)])),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' });
  });

  test('many at once', async () => {
    using scratch = new Scratch();
    const worker = workerThrough();
    const names = Array.from({ length: 8 }, (_, index) => `t${index}`);
    await Promise.all(
      names.map((path) =>
        worker.unpack(
          plainRequest(scratch.path, { tree: { kind: 'directory', base: scratch.path, path, make: true } }),
          Readable.from([tar(file('f', path))]),
        ),
      ),
    );
    for (const name of names) expect(readFileSync(join(scratch.path, name, 'f'), 'utf8')).toBe(name);
  });
});
