import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { execRequest, processRequest, SupervisorProcess, sanitized, shell } from './support/supervisor-process.ts';

const output = { stdin: false, stdout: true, stderr: true };
const everything = { stdin: true, stdout: true, stderr: true };
const nothing = { stdin: false, stdout: false, stderr: false };
const idle = (): Promise<SupervisorProcess> => SupervisorProcess.started({ process: shell('exec sleep 1000') });

describe('output', () => {
  test.each([1, 65_535, 65_536, 1 << 20, (1 << 24) + 1])('%i bytes arrive whole', async (size) => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({ process: shell(`head -c ${size} /dev/urandom | tee /dev/fd/2 | cat`) });
    await supervisor.owner.next('exited');
    const digest = (stream: 'stdout' | 'stderr'): string =>
      createHash('sha256').update(supervisor.owner.output(stream)).digest('hex');
    expect(supervisor.owner.output().length).toBe(size);
    expect(digest('stdout')).toBe(digest('stderr'));
  });

  test('a reader that is slow slows the process, and gets every byte', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('head -c 8000000 /dev/zero; echo done >&2'),
    });
    supervisor.owner.socket.pause();
    await delay(300);
    const session = await supervisor.connect();
    session.send({ type: 'state' });
    expect((await session.next('state-reply')).running).toBe(true);
    if (!sanitized) expect(supervisor.memory('Rss')).toBeLessThan(4_000);
    supervisor.owner.socket.resume();
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().length).toBe(8_000_000);
  });

  test('the exit waits for no reader', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('head -c 1000000 /dev/zero & sleep 0.3; kill %1; exit 6'),
    });
    const other = await supervisor.connect();
    supervisor.owner.socket.pause();
    other.send({ type: 'attach', ...nothing });
    const before = Date.now();
    expect((await other.next('exited')).exitCode).toBe(6);
    expect(Date.now() - before).toBeLessThan(1_500);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 6 });
    // Nobody reads the owner's session: the supervisor ends all the same.
    expect(await supervisor.exited).toBe(0);
    expect(Date.now() - before).toBeLessThan(5_000);
  });

  test('a slow reader gets the rest after the exit, and EXITED last', async () => {
    await using supervisor = await SupervisorProcess.started({ process: shell('head -c 300000 /dev/zero; exit 2') });
    supervisor.owner.socket.pause();
    await delay(1_000);
    supervisor.owner.socket.resume();
    await supervisor.owner.closed;
    expect(supervisor.owner.output().length).toBe(300_000);
    expect(supervisor.owner.frames.at(-1)).toMatchObject({ type: 'exited', exitCode: 2 });
  });

  test('several readers see the same', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('read go; seq 1 20000'),
    });
    const readers = await Promise.all(Array.from({ length: 8 }, () => supervisor.connect()));
    for (const reader of readers) reader.send({ type: 'attach', ...output });
    for (const reader of readers) reader.send({ type: 'state' });
    await Promise.all(readers.map((reader) => reader.next('state-reply')));
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('go\n') });
    await Promise.all([supervisor.owner, ...readers].map((reader) => reader.next('exited')));
    for (const reader of readers) expect(reader.output().equals(supervisor.owner.output())).toBe(true);
    expect(readers[0]?.output().toString().endsWith('20000\n')).toBe(true);
  });

  test('a reader that leaves in the middle holds nothing up', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: nothing,
      process: shell('sleep 0.2; head -c 5000000 /dev/zero'),
    });
    const reader = await supervisor.connect();
    reader.send({ type: 'attach', ...output });
    reader.socket.pause();
    await delay(500);
    reader.socket.destroy();
    expect((await supervisor.owner.next('exited')).exitCode).toBe(0);
  });

  test('what a background process holds open delays the exit only shortly', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({ process: shell('sleep 3 & echo said; exit 0') });
    const before = Date.now();
    await supervisor.owner.next('exited');
    expect(Date.now() - before).toBeLessThan(1_500);
    expect(supervisor.owner.output().toString()).toBe('said\n');
  });
});

describe('stdin', () => {
  test('goes through with back-pressure, and ends by a half-close', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('sleep 0.2; cat'),
    });
    const chunk = Buffer.alloc(60_000, 'abcdefghij');
    for (let i = 0; i < 100; i++) supervisor.owner.send({ type: 'stdin', data: chunk });
    supervisor.owner.send({ type: 'stdin-eof' });
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().equals(Buffer.concat(Array.from({ length: 100 }, () => chunk)))).toBe(true);
  });

  test('a process that closes it is not disturbed', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('exec <&-; sleep 0.3; echo alive'),
    });
    for (let i = 0; i < 50; i++) supervisor.owner.send({ type: 'stdin', data: Buffer.alloc(60_000) });
    supervisor.owner.send({ type: 'stdin-eof' });
    expect((await supervisor.owner.next('exited')).exitCode).toBe(0);
    expect(supervisor.owner.output().toString()).toBe('alive\n');
  });

  test('that is still streaming does not cost the answer', async () => {
    await using supervisor = await idle();
    for (let i = 0; i < 20; i++) {
      const session = await supervisor.connect();
      await session.exec(execRequest(['/usr/bin/head', '-c', '100000'], { stdin: true, attach: everything }));
      let streaming = true;
      void session.next('exited').then(() => (streaming = false));
      while (streaming && session.socket.writable) {
        session.send({ type: 'stdin', data: Buffer.alloc(50_000) });
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await session.next('exited')).exitCode).toBe(0);
      expect(session.output().length).toBe(100_000);
    }
  });

  test('two sessions feed in turns, frame by frame', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('sleep 0.2; cat'),
    });
    const second = await supervisor.connect();
    second.send({ type: 'attach', ...everything });
    for (let i = 0; i < 20; i++) {
      supervisor.owner.send({ type: 'stdin', data: Buffer.from(`${'1'.repeat(49_999)}\n`) });
      second.send({ type: 'stdin', data: Buffer.from(`${'2'.repeat(49_999)}\n`) });
    }
    await supervisor.owner.untilBytes(2_000_000);
    supervisor.owner.send({ type: 'stdin-eof' });
    await supervisor.owner.next('exited');
    const lines = supervisor.owner.output().toString().trimEnd().split('\n');
    expect(lines.filter((line) => /^1{49999}$/.test(line)).length).toBe(20);
    expect(lines.filter((line) => /^2{49999}$/.test(line)).length).toBe(20);
  });

  test('what was sent before the connection closed still arrives', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: output,
      process: shell('sleep 0.3; cat'),
    });
    const feeder = await supervisor.connect();
    feeder.send({ type: 'attach', stdin: true, stdout: false, stderr: false });
    for (let i = 0; i < 5; i++) feeder.send({ type: 'stdin', data: Buffer.alloc(50_000, 'z') });
    feeder.send({ type: 'stdin-eof' });
    feeder.socket.end();
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().length).toBe(250_000);
  });

  test('closes with the first session that fed it, where that was asked for', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      stdinOnce: true,
      attach: output,
      process: shell('cat; echo eof'),
    });
    const feeder = await supervisor.connect();
    feeder.send({ type: 'attach', ...everything });
    feeder.send({ type: 'stdin', data: Buffer.from('x\n') });
    await feeder.until((text) => text === 'x\n');
    feeder.socket.destroy();
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().toString()).toBe('x\neof\n');
  });

  test('stays open otherwise', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('cat; echo eof'),
    });
    const feeder = await supervisor.connect();
    feeder.send({ type: 'attach', ...everything });
    feeder.send({ type: 'stdin', data: Buffer.from('x\n') });
    await feeder.until((text) => text === 'x\n');
    feeder.socket.destroy();
    await delay(100);
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('y\n') });
    supervisor.owner.send({ type: 'stdin-eof' });
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().toString()).toBe('x\ny\neof\n');
  });
});

describe('exec', () => {
  test('has its own output, exit and stdin', async () => {
    await using supervisor = await idle();
    const session = await supervisor.connect();
    await session.exec(
      execRequest(['/bin/sh', '-c', 'cat; echo err >&2; exit 9'], { stdin: true, attach: everything }),
    );
    session.send({ type: 'stdin', data: Buffer.from('hello') });
    session.send({ type: 'stdin-eof' });
    expect((await session.next('exited')).exitCode).toBe(9);
    await session.closed;
    expect(session.frames[0]?.type).toBe('started');
    expect(session.frames.at(-1)?.type).toBe('exited');
    expect(session.output().toString()).toBe('hello');
    expect(session.output('stderr').toString()).toBe('err\n');
    expect(supervisor.owner.output().length).toBe(0);
  });

  test('fails with the reason, and the container goes on', async () => {
    await using supervisor = await idle();
    const session = await supervisor.connect();
    expect(await session.exec(execRequest(['/no/such/program']))).toMatchObject({
      type: 'failed',
      operation: 'exec',
      errno: 2,
    });
    await session.closed;
    const next = await supervisor.connect();
    next.send({ type: 'state' });
    expect(await next.next('state-reply')).toMatchObject({ running: true, liveExecs: 0 });
  });

  test('is killed when its session ends, unless detached', async () => {
    await using supervisor = await idle();
    const [attached, detached] = await Promise.all([supervisor.connect(), supervisor.connect()]);
    const first = await attached.exec(execRequest(['/bin/sleep', '1000']));
    const second = await detached.exec(execRequest(['/bin/sleep', '1000'], { detached: true }));
    attached.socket.destroy();
    detached.socket.destroy();
    const probe = await supervisor.connect();
    await delay(200);
    probe.send({ type: 'state' });
    expect(await probe.next('state-reply')).toMatchObject({ liveExecs: 1 });
    const alive = (pid: number): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    expect(first.type === 'started' && alive(first.pid)).toBe(false);
    expect(second.type === 'started' && alive(second.pid)).toBe(true);
  });

  test('is told of its end when the container ends', async () => {
    await using supervisor = await SupervisorProcess.started({ process: shell('sleep 0.3') });
    const session = await supervisor.connect();
    await session.exec(execRequest(['/bin/sleep', '1000']));
    expect(await session.next('exited')).toMatchObject({ exitCode: 137, signal: 9 });
    await supervisor.owner.next('exited');
  });

  test('takes signals, and not those of others', async () => {
    await using supervisor = await idle();
    const session = await supervisor.connect();
    await session.exec(execRequest(['/bin/sleep', '1000']));
    session.send({ type: 'signal', signal: 15 });
    expect(await session.next('exited')).toMatchObject({ exitCode: 143, signal: 15 });
    supervisor.owner.send({ type: 'state' });
    expect((await supervisor.owner.next('state-reply')).running).toBe(true);
  });

  test('a hundred at once, then no descriptor and no memory more than before', async () => {
    await using supervisor = await idle();
    const run = async (): Promise<string> => {
      const session = await supervisor.connect();
      await session.exec(execRequest(['/bin/echo', 'x']));
      await session.next('exited');
      return session.output().toString();
    };
    expect(await run()).toBe('x\n');
    await delay(400);
    const before = supervisor.openDescriptors;
    const memory = supervisor.memory('Private_Dirty');
    const outputs = await Promise.all(Array.from({ length: 100 }, run));
    expect(outputs.every((text) => text === 'x\n')).toBe(true);
    await delay(400);
    expect(supervisor.openDescriptors).toBe(before);
    if (!sanitized) expect(supervisor.memory('Private_Dirty') - memory).toBeLessThan(64);
  });
});

describe('a terminal', () => {
  const terminal = (command: string) =>
    processRequest(['/bin/sh', '-c', command], { tty: true, terminalSize: { rows: 33, columns: 101 } });

  test('has a size, which can change, and one stream', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: terminal('stty size; echo err >&2; read x; stty size'),
    });
    await supervisor.owner.until((text) => text.includes('err'));
    supervisor.owner.send({ type: 'resize', rows: 44, columns: 122 });
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('\r') });
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output('stderr').length).toBe(0);
    expect(supervisor.owner.output().toString()).toMatch(/^33 101\r\nerr\r\n\r\n44 122\r\n$/);
  });

  test('gives all of its output before the exit', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({ attach: everything, process: terminal('seq 1 20000') });
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().toString().endsWith('\r\n20000\r\n')).toBe(true);
  });

  test('interrupts by its control character', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: terminal('echo ready; exec sleep 1000'),
    });
    await supervisor.owner.until((text) => text.includes('ready'));
    await delay(100);
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('\x03') });
    expect(await supervisor.owner.next('exited')).toMatchObject({ signal: 2 });
  });
});

describe('holding', () => {
  test('another session may own the container, and the first give it up', async () => {
    await using supervisor = await idle();
    const heir = await supervisor.connect();
    heir.send({ type: 'hold', hold: true });
    heir.send({ type: 'state' });
    await heir.next('state-reply');
    supervisor.owner.send({ type: 'hold', hold: false });
    supervisor.owner.socket.end();
    await delay(200);
    heir.send({ type: 'state' });
    await heir.next('state-reply', () => heir.frames.length === 2);
    expect(heir.frames.at(-1)).toMatchObject({ running: true });
    heir.socket.destroy();
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.exitRecord).toMatchObject({ signal: 9 });
  });

  test('the end of a session that holds ends the container', async () => {
    await using supervisor = await idle();
    const heir = await supervisor.connect();
    heir.send({ type: 'hold', hold: true });
    heir.send({ type: 'state' });
    await heir.next('state-reply');
    heir.socket.destroy();
    expect(await supervisor.owner.next('exited')).toMatchObject({ signal: 9 });
  });
});
