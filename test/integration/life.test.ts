import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Container, HakoError, Runtime } from 'libhako';
import { expect, it, onTestFinished } from 'vitest';
import { Random } from '../soak/support/random.ts';
import { built } from '../support/built.ts';
import { runChild } from '../support/life-child.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

const command = ['sleep', '1000'];

/** Rewrites what the store says of a container's state. */
function claim(root: string, id: string, change: (state: Record<string, unknown>) => unknown): void {
  const database = new DatabaseSync(join(root, 'hako.db'));
  const state = database.prepare('SELECT state FROM containers WHERE id = ?').get(id)?.['state'];
  const changed = JSON.stringify(change(JSON.parse(String(state))));
  database.prepare('UPDATE containers SET state = ? WHERE id = ?').run(changed, id);
  database.close();
}

async function killSupervisor(container: Container): Promise<void> {
  const { state } = await container.inspect();
  if (state.status !== 'running') throw new Error(state.status);
  process.kill(state.supervisorPid, 'SIGKILL');
  await container.wait().catch(() => {});
}

describeWith({ root: true, tools: ['busybox', 'unshare'], paths: [built.entry] }, 'after a reboot', () => {
  it('nothing seems to run, ephemeral containers are gone, and the others start again', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, name: 'kept', command, detached: true });
    await container.start();
    const starting = await test.runtime.containers.create({ image, name: 'starting', command });
    await test.runtime.containers.create({ image, name: 'brief', command, ephemeral: true });
    await killSupervisor(container);
    // As if nobody had seen it end: this process's pid may be anybody's in the next boot.
    const { pid } = process;
    const by = (other: Record<string, unknown>) => ({ pid, startTicks: ticksOf(pid), bootId: 'before', ...other });
    // Its control groups are there still, as after no reboot: the next start removes them.
    claim(test.root, container.id, ({ cgroups }) => ({
      status: 'running',
      startedAt: new Date().toISOString(),
      pid,
      supervisor: by({}),
      cgroups,
    }));
    claim(test.root, starting.id, () => ({ status: 'starting', by: by({}), cgroups: [] }));

    const scratch = mkdtempSync(join(tmpdir(), 'hako-boot-'));
    onTestFinished(() => rmSync(scratch, { recursive: true }));
    writeFileSync(join(scratch, 'boot_id'), '11111111-2222-3333-4444-555555555555\n');
    const reboot = `mount --bind ${scratch}/boot_id /proc/sys/kernel/random/boot_id && exec "$@"`;
    const { stdout, stderr } = await runChild(
      ['unshare', '-m', 'sh', '-c', reboot, 'sh'],
      test.root,
      `const states = {};
       for (const { name, state } of await runtime.containers.list()) states[name] = state.status;
       const again = await runtime.containers.get('kept');
       await again.start();
       states.again = (await again.inspect()).state.status;
       console.log(JSON.stringify({ states, warnings }));`,
    );
    expect({ stdout: JSON.parse(stdout), stderr }).toEqual({
      stdout: { states: { kept: 'lost', starting: 'lost', again: 'running' }, warnings: [] },
      stderr: '',
    });
    await container.remove({ force: true });
  });

  it('a pid that another process has now is not taken for the one that had it', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, command });
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    claim(test.root, container.id, () => ({
      status: 'starting',
      by: { pid: process.pid, startTicks: '1', bootId },
      cgroups: [],
    }));
    await using other = await Runtime.open({ root: test.root });
    expect((await (await other.containers.get(container.id)).inspect()).state.status).toBe('lost');
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'between its end and the record of that', () => {
  it('a container’s pid, which may be another’s by now, leads into nobody else’s namespaces', async () => {
    await using test = await openRuntime();
    const { runtime, root } = test;
    const container = await runtime.containers.create({ image, name: 'ended', command, detached: true });
    await container.start();
    const file = join(mkdtempSync(join(tmpdir(), 'hako-pid-')), 'of-the-host');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, 'x');
    const share = () =>
      runtime.run({ image, command: ['true'], namespaces: { uts: 'container:ended' } }).then(() => 'shared');
    // The positive control.
    expect(await share()).toBe('shared');
    // As the supervisor lives on for a while, and the number was given to this process.
    claim(root, container.id, (state) => ({ ...state, pid: process.pid }));
    await using other = await Runtime.open({ root });
    await expect((await other.containers.get('ended')).copyOut(file)).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_BUSY',
    });
    await expect(share()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_RUNNING' });
    await container.remove({ force: true });
  });
});

function ticksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

describeWith({ root: true, tools: ['busybox', 'unshare'], paths: [built.entry] }, 'another pid namespace', () => {
  const elsewhere = ['unshare', '-p', '-f', '--mount-proc'];

  it('is refused while this one has the root open, and finds what goes on afterwards', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, name: 'away', command, detached: true });
    await container.start();
    const refused = await runChild(elsewhere, test.root, 'console.log("open")');
    expect(refused).toEqual({ exitCode: 3, stdout: 'HAKO_ERR_ROOT_IN_USE\n', stderr: '' });
    await test.runtime.close();
    const { stdout, stderr } = await runChild(
      elsewhere,
      test.root,
      `const container = await runtime.containers.get('away');
       const { status } = (await container.inspect()).state;
       const { stdout } = await container.exec(['echo', 'here']);
       const { exitCode } = await container.stop({ timeout: 0 });
       console.log(JSON.stringify([status, String(stdout), exitCode]));`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: '["running","here\\n",137]\n', stderr: '' });
    await using next = await Runtime.open({ root: test.root });
    await (await next.containers.get('away')).remove();
    // What was in use is known by locks alone: nothing of those that are closed is left.
    expect(readdirSync(join(test.root, 'claims'))).toHaveLength(1);
  });

  it('of which /proc does not tell is refused', async () => {
    await using test = await openRuntime();
    await test.runtime.close();
    const { stdout } = await runChild(['unshare', '-p', '-f'], test.root, 'console.log("open")');
    expect(stdout).toBe('HAKO_ERR_HOST_UNSUPPORTED\n');
  });
});

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'what is damaged', () => {
  it.each(['', '{"exitCode":0,"si', '{"exitCode":"no"}', '\0\0\0\0'])(
    'an exit record with %j in it makes the container lost, and says why',
    async (content) => {
      await using test = await openRuntime();
      const container = await test.runtime.containers.create({ image, command: ['true'] });
      await container.start();
      await container.wait();
      const cgroups: unknown[] = [];
      const record = join(test.root, 'containers', container.id, 'exit.json');
      truncateSync(record);
      writeFileSync(record, content);
      const supervisor = { pid: 1, startTicks: '1', bootId: 'x' };
      claim(test.root, container.id, () => ({ status: 'running', startedAt: new Date(), pid: 1, supervisor, cgroups }));
      // Its supervisor may have its hand on the directory for a moment yet.
      await expect
        .poll(async () => (await container.inspect()).state)
        .toMatchObject({ status: 'lost', reason: expect.stringMatching(/exit\.json\) is damaged/) });
      await expect(container.wait()).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
      await container.start();
      expect((await container.wait()).exitCode).toBe(0);
    },
  );

  it.each([
    ['record', '{'],
    ['record', '{"id":5}'],
    ['record', 'null'],
    ['record', ''],
    ['state', '{'],
    ['state', '{"status":"flying"}'],
    ['state', '{"status":"running"}'],
  ])('a %s that is %j is put aside, and told of', async (column, content) => {
    await using test = await openRuntime();
    const bad = await test.runtime.containers.create({ image, name: 'bad', command });
    await test.runtime.containers.create({ image, name: 'good', command });
    await test.runtime.close();
    const database = new DatabaseSync(join(test.root, 'hako.db'));
    database.prepare(`UPDATE containers SET ${column} = ? WHERE id = ?`).run(content, bad.id);
    database.close();
    await using next = await Runtime.open({ root: test.root });
    const warnings: string[] = [];
    next.on('warning', ({ message }) => warnings.push(message));
    expect((await next.containers.list()).map(({ name }) => name)).toEqual(['good']);
    await expect(next.containers.get('bad')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_FOUND' });
    await delay(10);
    expect(warnings).toEqual([expect.stringContaining(bad.id)]);
    expect((await next.info()).quarantined).toMatchObject([{ kind: 'container', id: bad.id }]);
    await next.containers.create({ image, name: 'bad', command });
    const left = () => ['containers', 'overlay2'].map((place) => existsSync(join(test.root, place, bad.id)));
    expect(left()).toEqual([true, true]);
    await next.containers.removeQuarantined(bad.id);
    expect(left()).toEqual([false, false]);
    expect((await next.info()).quarantined).toEqual([]);
    await expect(next.containers.removeQuarantined(bad.id)).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_NOT_FOUND',
    });
  });

  it('one that runs and whose record was put aside is removed with force, and not without', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, command, detached: true });
    await container.start();
    const { state } = await container.inspect();
    if (state.status !== 'running') throw new Error('it has been started');
    await test.runtime.close();
    const database = new DatabaseSync(join(test.root, 'hako.db'));
    database.exec("UPDATE containers SET record = '{'");
    database.close();
    await using next = await Runtime.open({ root: test.root });
    expect(await next.containers.list()).toEqual([]);
    await expect(next.containers.removeQuarantined(container.id)).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_RUNNING',
    });
    expect(existsSync(`/proc/${state.pid}`)).toBe(true);
    await next.containers.removeQuarantined(container.id, { force: true });
    expect(existsSync(`/proc/${state.pid}`)).toBe(false);
    expect(existsSync(join(test.root, 'containers', container.id))).toBe(false);
    for (const group of state.cgroups) expect(existsSync(group)).toBe(false);
  });

  it('a store with any bytes in it gives an error of its own, or works', { timeout: 120_000 }, async () => {
    await using test = await openRuntime();
    await test.runtime.containers.create({ image, name: 'one', command });
    await test.runtime.close();
    const path = join(test.root, 'hako.db');
    const sound = readFileSync(path);
    const random = new Random(4711);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const damaged = Buffer.from(sound);
      const length = 1 + random.below(8192);
      const at = random.chance(0.3) ? 0 : random.below(sound.length);
      for (let byte = at; byte < Math.min(at + length, sound.length); byte++) damaged[byte] = random.below(256);
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
      writeFileSync(path, random.chance(0.2) ? damaged.subarray(0, random.below(sound.length)) : damaged);
      try {
        await using runtime = await Runtime.open({ root: test.root });
        await runtime.containers.list();
        await (await runtime.containers.create({ image, command })).remove();
      } catch (error) {
        refused++;
        expect(error, `round ${round}: ${(error as Error).stack}`).toBeInstanceOf(HakoError);
      }
    }
    expect(refused).toBeGreaterThan(10);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    writeFileSync(path, sound);
    await using runtime = await Runtime.open({ root: test.root });
    await (await runtime.containers.get('one')).remove();
  });
});

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'a clock that is set', () => {
  it.each([1e11, -1e11])('by %i ms does not take from an import what it stands on', async (step) => {
    await using test = await openRuntime();
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>();
    const { promise: under, resolve: begun } = Promise.withResolvers<void>();
    async function* stalling(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(4096);
      begun();
      await goOn;
      yield Buffer.alloc(6144);
    }
    const importing = test.runtime.images.import(
      { kind: 'rootfs', rootfs: Readable.from(stalling()) },
      { reference: 'late' },
    );
    await under;
    const others = await runChild(
      [],
      test.root,
      `const now = Date.now;
       Date.now = () => now() + ${step};
       const { id } = await runtime.images.import('${join(test.root, '../rootfs')}', { reference: 'gone' });
       await runtime.images.remove('gone');
       console.log(warnings.length);`,
    );
    expect(others).toEqual({ exitCode: 0, stdout: '0\n', stderr: '' });
    release();
    expect((await importing).references).toEqual(['docker.io/library/late:latest']);
  });
});

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'a store that somebody keeps busy', () => {
  it('is waited for without holding up the event loop', async () => {
    await using test = await openRuntime();
    const person = new DatabaseSync(join(test.root, 'hako.db'));
    person.exec('BEGIN IMMEDIATE');
    let [worst, last] = [0, performance.now()];
    const watch = setInterval(() => {
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
    }, 5);
    const creating = test.runtime.containers.create({ image, command });
    await delay(1500);
    clearInterval(watch);
    expect(worst).toBeLessThan(500);
    person.exec('ROLLBACK');
    person.close();
    await (await creating).remove();
  });
});
