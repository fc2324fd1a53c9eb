import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freezeGroups, readUsage, removeGroups, thawGroups, updateGroups } from '../../src/cgroup/index.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { IsolatedContainer, type IsolatedOptions, runIsolated, thisHost } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';

const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function launch(script: string, isolated: IsolatedOptions = {}): Promise<{ container: IsolatedContainer; rootfs: Rootfs } & AsyncDisposable> {
  const rootfs = new Rootfs();
  const container = await IsolatedContainer.launch(rootfs, sh(script), isolated);
  await container.supervisor.owner.next('started');
  return {
    container,
    rootfs,
    [Symbol.asyncDispose]: async () => {
      await container[Symbol.asyncDispose]();
      rootfs[Symbol.dispose]();
    },
  };
}

async function runShell(script: string, isolated: IsolatedOptions = {}) {
  using rootfs = new Rootfs();
  return await runIsolated(rootfs, sh(script), isolated);
}

const has = (host: CgroupHost, ...controllers: string[]): boolean => controllers.every((name) => host.controllers[name] !== undefined);
const { cgroup } = await thisHost();

describeWith({ root: true, other: () => (has(cgroup, 'memory', 'pids', 'devices', 'cpu') ? undefined : 'control groups that may be written to') }, 'control groups of a container', () => {
  test('memory: a program that takes more is killed, and that is told from another kill', async () => {
    const settings = { resources: { memory: '16m', memorySwap: '16m' } };
    const killed = await runShell('dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?', { settings });
    expect(killed).toMatchObject({ oomKilled: true });
    await using running = await launch('sleep 100', { settings });
    running.container.supervisor.owner.send({ type: 'signal', signal: 9 });
    expect(await running.container.end()).toMatchObject({ exitCode: 137, oomKilled: false });
  });

  test('pids: a program that forks more than it may is refused', async () => {
    const { stderr, stdout } = await runShell('for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo unreachable', { settings: { resources: { pids: 5 } } });
    expect(stdout).not.toContain('unreachable');
    expect(stderr).toMatch(/fork.*temporarily unavailable/i);
  });

  test('pids: 4096 by default', async () => {
    await using running = await launch('sleep 100');
    expect((await readUsage(running.container.cgroup.groups)).pids).toEqual({ current: 1, limit: 4096 });
  });

  test('cpu: a busy program is throttled, and its usage counted', async () => {
    await using running = await launch('while :; do :; done', { settings: { resources: { cpus: 0.1 } } });
    await sleep(600);
    const { cpu } = await readUsage(running.container.cgroup.groups);
    expect(cpu.throttledPeriods).toBeGreaterThan(1);
    expect(Number(cpu.usage)).toBeGreaterThan(10e6);
    expect(Number(cpu.usage)).toBeLessThan(400e6);
  });

  test('cpuset: one CPU is seen', async () => {
    if (!has(cgroup, 'cpuset')) return;
    expect((await runShell('grep Cpus_allowed_list /proc/self/status', { settings: { resources: { cpusetCpus: '1' } } })).stdout).toMatch(/:\s1\n/);
  });

  test('usage is read of a container without any limit', async () => {
    await using running = await launch('sleep 100');
    const usage = await readUsage(running.container.cgroup.groups);
    expect(usage.memory.usage).toBeGreaterThan(0);
    expect(usage.memory.limit).toBeNull();
    expect(usage.cpu.usage).toBeGreaterThan(0n);
  });

  test('limits can be changed while it runs', async () => {
    await using running = await launch('sleep 100', { settings: { resources: { memory: '32m' } } });
    const { groups } = running.container.cgroup;
    await updateGroups(cgroup, groups, { memory: 64 * 2 ** 20, pids: 7 });
    await updateGroups(cgroup, groups, { memory: 16 * 2 ** 20 });
    const usage = await readUsage(groups);
    expect(usage).toMatchObject({ memory: { limit: 16 * 2 ** 20 }, pids: { limit: 7 } });
  });

  test('an exec is in the same groups', async () => {
    await using running = await launch('sleep 100');
    const groups = (await running.container.exec(sh('cat /proc/self/cgroup'))).stdout;
    expect(groups.split('\n').filter((line) => /:(pids|devices|memory|):\/$/.test(line)).length).toBeGreaterThan(0);
    const outside = readFileSync(`/proc/${running.container.supervisor.child.pid}/cgroup`, 'utf8');
    expect(outside).not.toContain(running.container.id);
  });

  test('its processes are frozen, and go on when thawed', async () => {
    await using running = await launch('sleep 0.05 & while :; do echo x; sleep 0.02; done');
    const { owner } = running.container.supervisor;
    await owner.untilBytes(10);
    const groups = await freezeGroups(cgroup, running.container.id, running.container.cgroup.groups);
    const frozen = owner.output().length;
    await sleep(300);
    expect(owner.output().length).toBe(frozen);
    await thawGroups(groups);
    await owner.untilBytes(frozen + 10);
    await running.container.supervisor[Symbol.asyncDispose]();
    await removeGroups(groups);
    for (const { directory } of groups) expect(existsSync(directory)).toBe(false);
  });

  test('a frozen container can be killed and removed', async () => {
    const running = await launch('sleep 1000');
    const groups = await freezeGroups(cgroup, running.container.id, running.container.cgroup.groups);
    running.container.supervisor.child.kill('SIGKILL');
    await running.container.supervisor.exited;
    await removeGroups(groups);
    for (const { directory } of groups) expect(existsSync(directory)).toBe(false);
    await running[Symbol.asyncDispose]();
  });

  test('what a supervisor leaves when it is killed is found by its groups and removed', async () => {
    const running = await launch('sleep 1000 & sleep 1000 & wait', { mode: 'privileged' });
    const { groups } = running.container.cgroup;
    running.container.supervisor.child.kill('SIGKILL');
    await running.container.supervisor.exited;
    expect(existsSync(groups[0]?.directory ?? '')).toBe(true);
    await removeGroups(groups);
    for (const { directory } of groups) expect(existsSync(directory)).toBe(false);
    await running[Symbol.asyncDispose]();
  });

  test('groups that the container made inside its own go with it', async () => {
    const running = await launch('mkdir /sys/fs/cgroup/pids/inner /sys/fs/cgroup/inner 2>/dev/null; for d in /sys/fs/cgroup/pids/inner /sys/fs/cgroup/inner; do [ -d $d ] && { sleep 1000 & echo $! > $d/cgroup.procs; }; done; echo made; wait', { mode: 'privileged' });
    await running.container.supervisor.owner.until((output) => output.includes('made'));
    await running[Symbol.asyncDispose]();
    for (const { directory } of running.container.cgroup.groups) expect(existsSync(directory)).toBe(false);
  });

  test('nothing is left of a container that has ended, or that could not be started', async () => {
    const running = await launch('exit 0');
    const { groups } = running.container.cgroup;
    await running[Symbol.asyncDispose]();
    for (const { directory } of groups) expect(existsSync(directory)).toBe(false);
    using rootfs = new Rootfs();
    await using failed = await IsolatedContainer.launch(rootfs, ['/absent']);
    expect((await failed.end()).failure).toBeDefined();
    await failed.supervisor[Symbol.asyncDispose]();
    for (const { directory } of failed.cgroup.groups) expect(existsSync(directory)).toBe(false);
  });
});

describeWith({ root: true, paths: ['/dev/loop0'], other: () => (has(cgroup, 'devices') ? undefined : 'a devices controller') }, 'device rules of a container', () => {
  const read = 'dd if=/dev/loop0 of=/dev/null bs=1 count=0';

  test('a disk can be neither made nor opened', async () => {
    const { stderr, stdout } = await runShell('mknod /tmp/disk b 7 0 && echo made; mknod /tmp/null c 1 3 && dd if=/dev/zero of=/tmp/null bs=1 count=1 2>/dev/null && echo null', {});
    expect(stdout).toBe('null\n');
    expect(stderr).toMatch(/mknod: .*not permitted/);
  });

  test('a device that was given may be opened as far as was said', async () => {
    const granted = await runShell(`${read} && echo read; : > /dev/loop0 && echo written`, { settings: { devices: ['/dev/loop0:/dev/loop0:r'] } });
    expect(granted.stdout).toBe('read\n');
    // The positive control: with every right the same script writes.
    const all = await runShell(`${read} && echo read; : > /dev/loop0 && echo written`, { settings: { devices: ['/dev/loop0'] } });
    expect(all.stdout).toBe('read\nwritten\n');
  });

  test('a rule of the caller denies what the defaults allow, and allows what they deny', async () => {
    const { stdout, stderr } = await runShell('cat /dev/zero | head -c 1 > /dev/null && echo zero; mknod /tmp/disk b 7 0 && echo made', {
      settings: { deviceRules: ['b 7:* m', { allow: false, type: 'c', major: 1, minor: 5, access: 'r' }] },
    });
    expect(stdout).toContain('made');
    expect(stdout.includes('zero') && !/not permitted/.test(stderr)).toBe(false);
  });

  test('a privileged container has them all', async () => {
    expect((await runShell(`${read} && mknod /tmp/disk b 7 0 && echo made`, { mode: 'privileged' })).stdout).toBe('made\n');
  });

  test('an exec is held to the same rules', async () => {
    await using running = await launch('sleep 100');
    const { stderr } = await running.container.exec(sh('mknod /tmp/disk b 7 0'));
    expect(stderr).toMatch(/not permitted/);
  });
});
