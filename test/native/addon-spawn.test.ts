import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants as fsConstants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { native } from './support/native-binding.ts';
import { openDescriptors, run, shell } from './support/shell.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-addon-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

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
    // Node ignores SIGPIPE; the child must not. Of the process itself, by exec: dash blocks signals while it waits for a child.
    const { output: signals } = await run('exec grep -E "^Sig(Blk|Ign)" /proc/self/status');
    expect(signals).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\n$/);
    const { output } = await run(
      'cat /proc/$$/environ; read -r pid c s pp pg sid rest </proc/$$/stat; [ "$pid" = "$sid" ] && echo leader',
    );
    expect(output).toBe('leader\n');
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
    await expect(native.spawn({ executable: shell, argv: [], fds: [] })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
    await expect(native.spawn({ executable: shell, argv: ['a\0b'], fds: [] })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
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
    await expect(native.sealExecutable(join(directory, 'absent'))).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'ENOENT',
      path: join(directory, 'absent'),
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
