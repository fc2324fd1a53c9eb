import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container, Exec } from 'libhako';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { amount } from '../soak/support/amounts.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const mebibyte = 1 << 20;
const endless = ['busybox', 'cat', '/dev/zero'];

/** Bytes that a process has in memory. */
const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
const descriptorsOf = (pid: number | 'self'): number => readdirSync(`/proc/${pid}/fd`).length;

/** Takes what comes for so long, and holds it, as an engine does that collects the output of an exec. */
async function collected(program: readonly string[], milliseconds: number): Promise<number> {
  const child = spawn(program[0] ?? '', program.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await delay(milliseconds);
  child.kill('SIGKILL');
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

describeWith({ root: true, tools: ['busybox', 'dd'] }, 'programs in a container, for clients of whatever kind', () => {
  let opened: TestRuntime;
  let container: Container;
  let supervisor: number;
  beforeAll(async () => {
    opened = await openRuntime();
    container = await opened.runtime.containers.create({
      image: busyboxImage,
      command: ['sleep', '10000'],
      log: 'none',
      ephemeral: true,
    });
    await container.start();
    const { state } = await container.inspect();
    supervisor = state.status === 'running' ? state.supervisorPid : 0;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  const programs = async () => (await container.top()).processes.length;
  const settled = (count: number) => expect.poll(programs, { timeout: 10_000 }).toBe(count);

  test('CVE-2022-1708, CVE-2022-31030: one that writes without end takes no memory of the host', async () => {
    const before = residentOf(supervisor);
    await expect(container.exec(endless, { maxOutput: mebibyte })).rejects.toMatchObject({
      code: 'HAKO_ERR_OUTPUT_TOO_LARGE',
    });
    await settled(1);
    // Nobody reads this one: it waits, and so does what it has written.
    const unread = await container.startExec(endless);
    await delay(300);
    expect(residentOf(supervisor) - before).toBeLessThan(2 * mebibyte);
    await unread.close();
    await settled(1);
    // The control: who holds all that comes holds more at each moment.
    expect(await collected(['dd', 'if=/dev/zero', 'bs=1M', 'count=1000'], 1000)).toBeGreaterThan(64 * mebibyte);
  });

  /** The moments at which a client can go away. */
  const leaving: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
    'before it has begun': (round) =>
      container.startExec(['sleep', '1000'], { signal: AbortSignal.timeout(round % 7) }).then((exec) => exec.close()),
    'with output that nobody has read': async () => (await container.startExec(endless)).close(),
    'in the middle of the output': async () => {
      const exec = await container.startExec(endless);
      await new Promise((resolve) => exec.stdout.once('data', resolve));
      exec.stdout.destroy();
      await exec.close();
    },
    'while a terminal gets its size': async (round) => {
      const exec = await container.startExec(['sh'], { tty: true, stdin: true });
      for (let at = 0; at < 20; at++) exec.resize({ rows: 10 + at, columns: 20 + round });
      await exec.close();
    },
    'with input on its way': async () => {
      const exec = await container.startExec(['sleep', '1000'], { stdin: true });
      exec.stdin.on('error', () => {});
      exec.stdin.write(Buffer.alloc(mebibyte));
      await exec.close();
    },
    'while another looks on': async () => {
      const exec = await container.startExec(endless);
      // Both are to read: one that does not holds the program up for the other too.
      exec.stdout.resume();
      const other = await container.attachExec(exec.id);
      await new Promise((resolve) => other.stdout.once('data', resolve));
      await other.close();
      await exec.close();
    },
  };

  test('CVE-2022-23471, CVE-2025-64329, CVE-2026-53495: those that go away at any moment leave nothing', {
    timeout: 120_000,
  }, async () => {
    const goAway = async (rounds: number) => {
      for (let round = 0; round < rounds; round++)
        // One that is aborted says so.
        await Promise.all(Object.values(leaving).map((leave) => leave(round).catch(() => {})));
    };
    const figures = () => ({
      ours: descriptorsOf('self'),
      theirs: descriptorsOf(supervisor),
      threads: readdirSync(`/proc/${supervisor}/task`).length,
    });
    await goAway(5);
    await settled(1);
    const [before, resident] = [figures(), residentOf(supervisor)];
    await goAway(amount('leaving', 40, 2000));
    await settled(1);
    await expect.poll(figures, { timeout: 10_000 }).toEqual(before);
    // A sanitizer keeps what was freed for a while.
    if (process.env['HAKO_SANITIZE'] !== '1') expect(residentOf(supervisor) - resident).toBeLessThan(mebibyte);
    // The control: one that stays shows in each figure that a forgotten one would.
    const kept: Exec[] = [];
    for (let at = 0; at < 3; at++) kept.push(await container.startExec(['sleep', '1000']));
    expect(await programs()).toBe(4);
    expect(figures().ours).toBeGreaterThan(before.ours);
    expect(figures().theirs).toBeGreaterThan(before.theirs);
    await Promise.all(kept.map((exec) => exec.close()));
  });
});
