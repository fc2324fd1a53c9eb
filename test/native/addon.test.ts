import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  constants as fsConstants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SpawnedProcess } from '../../src/contracts/native-binding.ts';
import { locateNative } from '../../src/native/loader.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { native } from './support/native-binding.ts';

let directory: string;
let shell: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hako-addon-'));
  shell = await native.sealExecutable('/bin/sh');
});
afterAll(() => {
  native.close(shell);
  rmSync(directory, { recursive: true, force: true });
});

const openDescriptors = () => readdirSync('/proc/self/fd').length;

/** Runs a shell script and gives its standard output. */
async function run(
  script: string,
  fds: readonly number[] = [],
): Promise<{ output: string; exitCode: number | null; signal: number | null }> {
  const [read, write] = native.pipe();
  let child: SpawnedProcess;
  try {
    child = await native.spawn({ executable: shell, argv: ['sh', '-c', script], fds, stdio: [null, write, write] });
  } finally {
    native.close(write);
  }
  const output = readFileSync(read, 'utf8');
  native.close(read);
  return { output, ...(await native.reap(child)) };
}

describe('spawn', () => {
  test('gives the child its descriptors by position, null for the rest, and no other', async () => {
    const a = openSync(join(directory, 'a'), 'w');
    const b = openSync(join(directory, 'b'), 'w');
    // A descriptor that some library in Node's process opened without O_CLOEXEC.
    const leaky = execFileSync('sh', ['-c', 'true']) && openSync('/dev/zero', fsConstants.O_RDONLY);
    const { output } = await run('echo to-a >&3; echo to-b >&4; read line; echo "stdin:$line:$?"; ls /proc/self/fd', [
      a,
      b,
    ]);
    closeSync(a);
    closeSync(b);
    closeSync(leaky);
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('to-a\n');
    expect(readFileSync(join(directory, 'b'), 'utf8')).toBe('to-b\n');
    const [first, ...listed] = output.trim().split('\n');
    expect(first).toBe('stdin::1');
    // 0, 1, 2, the two, and the one by which ls reads the directory.
    expect(listed).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  test('maps descriptors whose numbers overlap with the places they go to', async () => {
    const files = Array.from({ length: 7 }, (_, index) => openSync(join(directory, `overlap-${index}`), 'w+'));
    // Up to descriptor 9: a shell knows no larger ones. Every order of numbers that may be below, at and above 3 + i.
    const rotated = [...files.slice(3), ...files.slice(0, 3)].reverse();
    await run(rotated.map((_, index) => `echo ${index} >&${3 + index}`).join(';'), rotated);
    for (const [index, fd] of rotated.entries()) {
      const bytes = Buffer.alloc(16);
      expect(bytes.toString('utf8', 0, readSync(fd, bytes, 0, 16, 0))).toBe(`${index}\n`);
      closeSync(fd);
    }
  });

  test('gives the same descriptor to several places', async () => {
    const [read, write] = native.pipe();
    await run('echo 3 >&3; echo 4 >&4', [write, write]);
    native.close(write);
    expect(readFileSync(read, 'utf8')).toBe('3\n4\n');
    native.close(read);
  });

  test('starts a session leader with no signal blocked or ignored, and no environment', async () => {
    // Node ignores SIGPIPE; the child must not.
    const { output } = await run(
      'cut -d" " -f1,6 /proc/self/stat >/dev/null; grep -E "^Sig(Blk|Ign)" /proc/$$/status; cat /proc/$$/environ; read -r pid c s pp pg sid rest </proc/$$/stat; [ "$pid" = "$sid" ] && echo leader',
    );
    expect(output).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\nleader\n$/);
  });

  test('tells the exit code and the signal', async () => {
    expect(await run('exit 7')).toMatchObject({ exitCode: 7, signal: null });
    expect(await run('kill -TERM $$')).toMatchObject({ exitCode: null, signal: constants.signals.SIGTERM });
  });

  test('fails with the system call and errno, and leaves nothing behind', async () => {
    writeFileSync(join(directory, 'text'), 'not a program', { mode: 0o755 });
    const text = await native.sealExecutable(join(directory, 'text'));
    const before = openDescriptors();
    await expect(native.spawn({ executable: text, argv: ['text'], fds: [] })).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'ENOEXEC',
      operation: 'execveat',
      path: 'text',
    });
    await expect(native.spawn({ executable: shell, argv: ['sh'], fds: [999] })).rejects.toMatchObject({
      errno: 'EBADF',
    });
    expect(() => native.spawn({ executable: shell, argv: [], fds: [] })).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
    );
    expect(() => native.spawn({ executable: shell, argv: ['a\0b'], fds: [] })).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
    );
    expect(openDescriptors()).toBe(before);
    native.close(text);
  });

  test('a hundred at once are all reaped, each with its own exit code', async () => {
    const before = openDescriptors();
    const codes = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const child = await native.spawn({ executable: shell, argv: ['sh', '-c', `exit ${index}`], fds: [] });
        return (await native.reap(child)).exitCode;
      }),
    );
    expect(codes).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(openDescriptors()).toBe(before);
  });
});

describe('a sealed program', () => {
  test('cannot be written, grown, shrunk or unsealed', async () => {
    const path = `/proc/self/fd/${shell}`;
    expect(() => writeFileSync(path, 'x')).toThrow(/EPERM|ETXTBSY|EACCES/);
    const fd = native.open(path, fsConstants.O_RDONLY);
    expect(() => writeSync(fd, 'x')).toThrow(/EBADF/);
    native.close(fd);
    expect(readFileSync(path).equals(readFileSync('/bin/sh'))).toBe(true);
  });

  test('that is not there is an error with its path', async () => {
    await expect(native.sealExecutable('/nowhere')).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'ENOENT',
      path: '/nowhere',
    });
  });
});

describe('descriptors', () => {
  test('are all close-on-exec', () => {
    const fds = [
      ...native.socketPair(),
      ...native.pipe(),
      native.open('/', fsConstants.O_RDONLY),
      native.pidfdOpen(process.pid),
    ];
    for (const fd of fds) {
      const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
      expect(Number.parseInt(flags, 8) & 0o2000000).toBe(0o2000000);
      native.close(fd);
    }
    expect(() => native.close(fds[0] as number)).toThrowError(expect.objectContaining({ errno: 'EBADF' }));
  });

  test('a socket pair carries bytes both ways', () => {
    const [a, b] = native.socketPair();
    const bytes = Buffer.alloc(2);
    writeSync(a, 'hi');
    readSync(b, bytes);
    expect(bytes.toString()).toBe('hi');
    writeSync(b, 'ho');
    readSync(a, bytes);
    expect(bytes.toString()).toBe('ho');
    native.close(a);
    native.close(b);
  });

  test('of a process: signals reach it, and one that is gone is ESRCH', async () => {
    const child = await native.spawn({ executable: shell, argv: ['sh', '-c', 'sleep 100'], fds: [] });
    native.pidfdSendSignal(child.pidfd, 0);
    native.pidfdSendSignal(child.pidfd, constants.signals.SIGKILL);
    const again = native.pidfdOpen(child.pid);
    expect(await native.reap(child)).toEqual({ exitCode: null, signal: constants.signals.SIGKILL });
    expect(() => native.pidfdSendSignal(again, 0)).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_SYSCALL_FAILED', errno: 'ESRCH' }),
    );
    expect(() => native.pidfdOpen(child.pid)).toThrowError(expect.objectContaining({ errno: 'ESRCH' }));
    native.close(again);
  });
});

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

test('syncFilesystem works on a directory and fails on a bad descriptor', async () => {
  const fd = native.open(directory, fsConstants.O_RDONLY | fsConstants.O_DIRECTORY);
  await native.syncFilesystem(fd);
  native.close(fd);
  await expect(native.syncFilesystem(fd)).rejects.toMatchObject({ errno: 'EBADF' });
});

test('compileSeccomp refuses rules that are not sound', () => {
  for (const rules of [new Uint8Array(), new Uint8Array(100), new Uint8Array(2 << 20)]) {
    expect(() => native.compileSeccomp(rules)).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_SECCOMP_PROFILE' }),
    );
  }
});

test('what is not of the right type is a TypeError, not a crash', () => {
  const addon = process as unknown as { dlopen(module: object, path: string): void };
  const raw = { exports: {} as Record<string, (...args: unknown[]) => unknown> };
  addon.dlopen(raw, locateNative().addon);
  const nonsense = [
    undefined,
    null,
    {},
    [],
    'text',
    1.5,
    2 ** 40,
    Symbol('s'),
    () => {},
    new Uint32Array(4),
    new Uint8Array(),
  ];
  const calls = Object.entries(raw.exports).filter(
    ([name]) => !['probe', 'socketPair', 'pipe', 'close', 'unmount', 'removeTree'].includes(name),
  );
  expect(calls.length).toBeGreaterThan(8);
  for (const [name, call] of calls) {
    expect(() => call(), name).toThrow(TypeError);
    for (const value of nonsense) {
      // A text may be a path, and is refused by the kernel then: that is an error, or a promise of one.
      try {
        void Promise.resolve(call(value, value, value, value)).catch(() => {});
      } catch (error) {
        expect(error, name).toBeInstanceOf(Error);
      }
    }
  }
});

test('loads in worker threads, beside each other and after one was terminated at work', async () => {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = { exports: {} };
    process.dlopen(addon, workerData.addon);
    const twice = { exports: {} };
    process.dlopen(twice, workerData.addon);
    (async () => {
      const program = await addon.exports.sealExecutable('/bin/sh');
      const child = await twice.exports.spawn(program, ['sh', '-c', 'exit 3'], [null, null, null], []);
      let status = null;
      while ((status = addon.exports.tryReap(child.pidfd)) === null) await new Promise((resolve) => setTimeout(resolve, 1));
      addon.exports.close(program);
      parentPort.postMessage(status.exitCode);
      // Work that is under way when the thread is ended.
      for (;;) await Promise.all(Array.from({ length: 20 }, () => addon.exports.readFileInRoot('/', 'etc/hostname', 1000)));
    })();
  `;
  const before = openDescriptors();
  for (let round = 0; round < 3; round++) {
    const workers = Array.from(
      { length: 2 },
      () => new Worker(script, { eval: true, workerData: { addon: locateNative().addon } }),
    );
    const codes = await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
    expect(codes).toEqual([3, 3]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  expect((await run('exit 4')).exitCode).toBe(4);
  expect(openDescriptors()).toBeLessThanOrEqual(before);
});

test('probe answers each question with yes, or no and why', async () => {
  const probe = await native.probe();
  expect(probe.release).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
  for (const answer of Object.values(probe)) {
    if (typeof answer === 'object' && !answer.ok) {
      expect(answer.errno).toMatch(/^E[A-Z0-9]+$/);
      expect(answer.reason).toMatch(/\.$/);
    }
  }
  expect(probe.openat2).toEqual({ ok: true });
  expect(probe.pidfd).toEqual({ ok: true });
});

// As an ordinary user where user namespaces are forbidden: in a user namespace whose own limit is 0, without capabilities.
describeWith({ tools: ['unshare', 'setpriv'] }, 'probe on a host that forbids user namespaces', () => {
  test('says so, names the setting, and does not blame the mount API', () => {
    const helper = fileURLToPath(new URL('./support/probe-check.ts', import.meta.url));
    const forbid =
      'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"';
    const output = execFileSync(
      findTool('unshare') as string,
      ['--user', '--map-root-user', 'sh', '-c', forbid, 'sh', process.execPath, '--no-warnings', helper],
      { encoding: 'utf8' },
    );
    const probe = JSON.parse(output) as Record<string, unknown>;
    expect(probe).toMatchObject({
      mountApi: { ok: true },
      userNamespace: { ok: false, errno: 'ENOSPC' },
      overlayInUserNamespace: { ok: false },
    });
    expect((probe['userNamespace'] as { reason: string }).reason).toContain('sysctl -w user.max_user_namespaces');
  });
});

// In a mount namespace of its own, so that nothing reaches the host; the program is this test's own helper.
describeWith({ root: true, tools: ['unshare'] }, 'mount on the host', () => {
  test('mounts a filesystem with its attributes and options, binds, overlays, and unmounts', () => {
    const helper = fileURLToPath(new URL('./support/mount-check.ts', import.meta.url));
    const output = execFileSync(
      findTool('unshare') as string,
      ['--mount', '--propagation', 'private', process.execPath, '--no-warnings', helper, directory],
      { encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual({
      tmpfs: 'ro,nosuid,nodev,noexec',
      size: '64k',
      bind: 'content',
      bindReadOnly: true,
      overlay: ['lower', 'upper'],
      overlayByString: ['lower', 'upper'],
      badOption: 'EINVAL',
      badOptionSaysWhy: true,
      unknownType: 'ENODEV',
      missingTarget: 'ENOENT',
      left: 0,
      unmountOfNothing: 'fine',
    });
  });
});
