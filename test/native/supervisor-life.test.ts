import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { native } from './support/native-binding.ts';
import { jsonFile, processRequest, SupervisorProcess, sanitized, shell } from './support/supervisor-process.ts';

const everything = { stdin: true, stdout: true, stderr: true };

describe('a container from START to EXITED', () => {
  test('output, exit code, exit record, and nothing else left behind', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({ process: shell('echo out; echo err >&2; exit 7') });
    const exited = await supervisor.owner.next('exited');
    await supervisor.owner.closed;
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.owner.frames[0]?.type).toBe('started');
    expect(supervisor.owner.frames.at(-1)).toBe(exited);
    expect(supervisor.owner.output().toString()).toBe('out\n');
    expect(supervisor.owner.output('stderr').toString()).toBe('err\n');
    expect(exited).toMatchObject({ exitCode: 7, signal: 0, oomKilled: false });
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 7, signal: 0, oomKilled: false });
    expect(supervisor.names).toEqual(['exit.json']);
    const { finishedAt } = supervisor.exitRecord as { finishedAt: string };
    expect(finishedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    expect(Math.abs(Date.parse(finishedAt) - Date.now())).toBeLessThan(10_000);
  });

  test('the exit record is there before anybody is told', async () => {
    await using supervisor = await SupervisorProcess.started({
      durable: true,
      process: shell('sleep 0.1; kill -9 $$'),
    });
    let record: unknown;
    supervisor.owner.socket.on('data', () => (record ??= supervisor.exitRecord));
    expect(await supervisor.owner.next('exited')).toMatchObject({ exitCode: 137, signal: 9 });
    expect(record).toMatchObject({ exitCode: 137, signal: 9 });
  });

  test('a signal reaches the process', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('trap "echo caught; exit 3" USR1; echo ready; while :; do sleep 0.05; done'),
    });
    await supervisor.owner.until((output) => output.includes('ready'));
    supervisor.owner.send({ type: 'signal', signal: 10 });
    expect((await supervisor.owner.next('exited')).exitCode).toBe(3);
    expect(supervisor.owner.output().toString()).toContain('caught');
  });

  test('a failed start answers FAILED, undoes everything and ends', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({
      process: processRequest(['/no/such/program']),
      sink: { kind: 'json-file', file: 'a.log', maxSize: 0, maxFiles: 1, compress: false, attributes: '' },
    });
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'exec', errno: 2 });
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual([]);
  });

  test('a state directory that is gone is a failed start', async () => {
    await using supervisor = new SupervisorProcess();
    rmdirSync(supervisor.directory);
    supervisor.start({});
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'exit-record', errno: 2 });
    expect(await supervisor.exited).toBe(1);
  });

  test.each([
    ['a name with a slash', { file: '../x.log' }, 'protocol'],
    ['a hidden name', { file: '.x' }, 'protocol'],
    ['a name that is too long', { file: 'x'.repeat(201) }, 'protocol'],
    ['no file at all', { maxFiles: 0 }, 'protocol'],
    ['attributes of two lines', { attributes: '{\n}' }, 'protocol'],
    ['a directory in its place', { file: 'directory' }, 'log'],
    ['a link in its place', { file: 'link' }, 'log'],
    ['a pipe in its place', { file: 'pipe' }, 'log'],
  ])('a log file with %s is a failed start', async (_name, sink, operation) => {
    await using supervisor = new SupervisorProcess();
    mkdirSync(supervisor.path('directory'));
    symlinkSync('/dev/null', supervisor.path('link'));
    execFileSync('mkfifo', [supervisor.path('pipe')]);
    supervisor.start({ sink: { ...jsonFile(), ...sink } });
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation });
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual(['directory', 'link', 'pipe']);
  });

  test('an owner that leaves before START leaves nothing', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.owner.socket.destroy();
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual([]);
  });

  test('a container is killed with its owner, its exit recorded', async () => {
    await using supervisor = await SupervisorProcess.started({ process: shell('exec sleep 1000') });
    supervisor.owner.socket.destroy();
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 137, signal: 9 });
    expect(supervisor.names).toEqual(['exit.json']);
  });

  test('a detached container outlives its owner, once that holds it', async () => {
    await using supervisor = await SupervisorProcess.started({ detached: true, process: shell('sleep 0.5; exit 4') });
    supervisor.owner.send({ type: 'hold', hold: true });
    supervisor.owner.socket.destroy();
    await delay(100);
    const session = await supervisor.connect();
    session.send({ type: 'state' });
    expect(await session.next('state-reply')).toMatchObject({ running: true, liveExecs: 0 });
    session.send({ type: 'attach', stdin: false, stdout: true, stderr: true });
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 4 });
  });

  test('a detached container whose owner dies before its start is recorded is killed', async () => {
    await using supervisor = await SupervisorProcess.started({ detached: true, process: shell('exec sleep 1000') });
    supervisor.owner.socket.destroy();
    expect(await supervisor.exited).toBe(0);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 137, signal: 9 });
  });

  test('holds its directory until nothing of the container is left', async () => {
    await using supervisor = await SupervisorProcess.started({ process: shell('exec sleep 1000') });
    expect(native.isLocked(supervisor.directory)).toBe(true);
    await using second = new SupervisorProcess(supervisor.directory);
    second.start({ process: shell('exit 0') });
    expect(await second.owner.next('failed')).toMatchObject({ operation: 'state', errno: 11 });
    second.owner.socket.destroy();
    expect(await second.exited).toBe(1);
    // What the first has prepared is still there.
    supervisor.owner.send({ type: 'signal', signal: 9 });
    await supervisor.owner.next('exited');
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 137 });
    await expect.poll(() => native.isLocked(supervisor.directory)).toBe(false);
    expect(native.isLocked(`${supervisor.directory}/absent`)).toBe(false);
  });

  test('an owner killed with stdin waiting in front of its end still ends the container', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: everything,
      process: shell('exec sleep 1000'),
    });
    for (let i = 0; i < 20; i++) supervisor.owner.send({ type: 'stdin', data: Buffer.alloc(60_000, 'x') });
    await delay(200);
    supervisor.owner.socket.destroy();
    expect(await supervisor.exited).toBe(0);
  });

  test('SIGTERM asks the container to stop', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'),
    });
    await supervisor.owner.until((output) => output.includes('ready'));
    supervisor.child.kill('SIGTERM');
    expect((await supervisor.owner.next('exited')).exitCode).toBe(5);
  });

  test('orphans are reaped', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('(sleep 0.1 & echo $!) ; sleep 0.5; ls -d /proc/$(pgrep -P $PPID -x sleep) 2>/dev/null; exit 0'),
    });
    await supervisor.owner.next('exited');
    const orphan = /^\d+/.exec(supervisor.owner.output().toString())?.[0];
    expect(existsSync(`/proc/${orphan}`)).toBe(false);
  });

  test('is idle in little memory, and named in ps', async () => {
    await using supervisor = await SupervisorProcess.started({
      process: shell('head -c 3000000 /dev/zero; exec sleep 1000'),
      sink: { kind: 'json-file', file: 'a.log', maxSize: 0, maxFiles: 1, compress: false, attributes: '' },
    });
    await supervisor.owner.untilBytes(3_000_000);
    await delay(600);
    if (!sanitized) expect(supervisor.memory('Private_Dirty')).toBeLessThan(100);
    expect(readFileSync(`/proc/${supervisor.child.pid}/comm`, 'utf8')).toBe('hako-supervisor\n');
    expect(readFileSync(`/proc/${supervisor.child.pid}/cmdline`, 'utf8')).toMatch(/^hako: test\0/);
  });
});
