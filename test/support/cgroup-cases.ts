import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CgroupGroup,
  freezeGroups,
  freezerState,
  joinController,
  readUsage,
  removeGroups,
  thawGroups,
  updateGroups,
} from '../../src/cgroup/index.ts';
import type { CgroupHost, HostInfo } from '../../src/contracts/host-info.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import type { Case } from './case.ts';
import { IsolatedContainer, type IsolatedOptions, type Outcome, runIsolated } from './isolated-run.ts';

const MiB = 2 ** 20;
const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

interface Running extends AsyncDisposable {
  readonly container: IsolatedContainer;
}

export async function launchShell(script: string, isolated: IsolatedOptions = {}): Promise<Running> {
  const rootfs = new Rootfs();
  const container = await IsolatedContainer.launch(rootfs, sh(script), isolated);
  await container.supervisor.owner.next('started');
  return {
    container,
    [Symbol.asyncDispose]: async () => {
      await container[Symbol.asyncDispose]();
      rootfs[Symbol.dispose]();
    },
  };
}

export async function runShell(script: string, isolated: IsolatedOptions = {}): Promise<Outcome> {
  using rootfs = new Rootfs();
  return await runIsolated(rootfs, sh(script), isolated);
}

function assertGone(groups: readonly CgroupGroup[]): void {
  assert.ok(groups.length > 0);
  assert.deepEqual(
    groups.map(({ directory }) => directory).filter((directory) => existsSync(directory)),
    [],
  );
}

async function killSupervisor({ container }: Running): Promise<void> {
  container.supervisor.child.kill('SIGKILL');
  await container.supervisor.exited;
}

/** On v1 the freezer is joined now, by way of the supervisor. */
async function freeze(host: CgroupHost, { container }: Running): Promise<readonly CgroupGroup[]> {
  const groups = await joinController(host, container.id, container.cgroup.groups, 'freezer', {
    async make(directory) {
      container.supervisor.owner.send({ type: 'group', directory });
      container.supervisor.owner.send({ type: 'state' });
      await container.supervisor.owner.next('state-reply');
    },
    record() {},
  });
  await freezeGroups(groups);
  return groups;
}

/** What control groups do for a container, on the kernel that there is. */
export function cgroupCases({ cgroup }: HostInfo): readonly Case[] {
  const needs =
    (...controllers: string[]) =>
    (): string | undefined => {
      const lacking = controllers.filter((name) => cgroup.controllers[name] === undefined);
      return lacking.length === 0
        ? undefined
        : lacking.map((name) => `the ${name} controller (${cgroup.missing[name] ?? 'none'})`).join(', ');
    };
  return [
    {
      name: 'memory: a program that takes more is killed, and that is told from another kill',
      missing: needs('memory'),
      async run() {
        const settings = { resources: { memory: '16m', memorySwap: '16m' } };
        const killed = await runShell('dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?', { settings });
        assert.equal(killed.oomKilled, true, JSON.stringify(killed));
        await using running = await launchShell('sleep 1000', { settings });
        running.container.supervisor.owner.send({ type: 'signal', signal: 9 });
        const other = await running.container.end();
        assert.deepEqual([other.exitCode, other.oomKilled], [137, false]);
      },
    },
    {
      name: 'pids: a program that forks more than it may is refused; 4096 by default',
      missing: needs('pids'),
      async run() {
        const { stderr, stdout } = await runShell('for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo unreachable', {
          settings: { resources: { pids: 5 } },
        });
        assert.doesNotMatch(stdout, /unreachable/);
        assert.match(stderr, /fork.*temporarily unavailable/i);
        await using running = await launchShell('exec sleep 1000');
        assert.deepEqual((await readUsage(running.container.cgroup.groups)).pids, { current: 1, limit: 4096 });
      },
    },
    {
      name: 'cpu: a busy program is throttled, and its usage counted',
      missing: needs('cpu'),
      async run() {
        await using running = await launchShell('while :; do :; done', { settings: { resources: { cpus: 0.1 } } });
        await sleep(1000);
        const { cpu } = await readUsage(running.container.cgroup.groups);
        assert.ok((cpu.throttledPeriods ?? 0) > 1, `${cpu.throttledPeriods} periods were throttled`);
        assert.ok((cpu.usage ?? 0) > 10_000_000 && (cpu.usage ?? 0) < 600_000_000, `${cpu.usage} ns were used`);
      },
    },
    {
      name: 'cpu: shares are kept as the kernel says them',
      missing: needs('cpu'),
      async run() {
        await using running = await launchShell('sleep 1000', { settings: { resources: { cpuShares: 512 } } });
        const group = running.container.cgroup.groups.find(({ controllers }) => controllers.includes('cpu'));
        const file = `${group?.directory}/${group?.version === 2 ? 'cpu.weight' : 'cpu.shares'}`;
        assert.equal(readFileSync(file, 'utf8').trim(), group?.version === 2 ? '59' : '512');
      },
    },
    {
      name: 'cpuset: one CPU is seen',
      missing: needs('cpuset'),
      async run() {
        const { stdout, failure } = await runShell('grep Cpus_allowed_list /proc/self/status', {
          settings: { resources: { cpusetCpus: '0' } },
        });
        assert.equal(failure, undefined);
        assert.match(stdout, /:\s0\n/);
      },
    },
    {
      name: 'block I/O: a limit of a device is set',
      missing: () =>
        existsSync('/dev/loop0')
          ? needs('io')() === undefined || needs('blkio')() === undefined
            ? undefined
            : needs('io')()
          : '/dev/loop0',
      async run() {
        await using running = await launchShell('sleep 1000', {
          settings: {
            resources: {
              blkioDeviceReadBps: [{ path: '/dev/loop0', rate: '1m' }],
              blkioDeviceWriteIOps: [{ path: '/dev/loop0', rate: 50 }],
            },
          },
        });
        const group = running.container.cgroup.groups.find(
          ({ controllers }) => controllers.includes('io') || controllers.includes('blkio'),
        );
        if (group?.version === 2)
          assert.match(
            readFileSync(`${group.directory}/io.max`, 'utf8'),
            /^7:0 rbps=1048576 wbps=max riops=max wiops=50$/m,
          );
        else assert.match(readFileSync(`${group?.directory}/blkio.throttle.read_bps_device`, 'utf8'), /^7:0 1048576$/m);
      },
    },
    {
      name: 'usage is read of a container without any limit',
      missing: needs('memory'),
      async run() {
        await using running = await launchShell('sleep 1000');
        const usage = await readUsage(running.container.cgroup.groups);
        assert.ok((usage.memory.usage ?? 0) > 0);
        assert.equal(usage.memory.limit, null);
        assert.ok((usage.cpu.usage ?? 0) > 0);
      },
    },
    {
      name: 'limits can be changed while it runs, up and down',
      missing: needs('memory', 'pids'),
      async run() {
        await using running = await launchShell('sleep 1000', { settings: { resources: { memory: '32m' } } });
        const { groups } = running.container.cgroup;
        await updateGroups(cgroup, groups, { memory: 32 * MiB }, { memory: 64 * MiB, pids: 7 });
        assert.equal((await readUsage(groups)).memory.limit, 64 * MiB);
        await updateGroups(cgroup, groups, { memory: 64 * MiB, pids: 7 }, { memory: 16 * MiB, pids: 7 });
        const usage = await readUsage(groups);
        assert.deepEqual([usage.memory.limit, usage.pids.limit], [16 * MiB, 7]);
      },
    },
    {
      name: 'an exec is in the same groups, the supervisor is in none of them',
      missing: needs('pids'),
      async run() {
        await using running = await launchShell('exec sleep 1000');
        const { groups } = running.container.cgroup;
        const during = running.container.exec(sh('sleep 1'));
        await sleep(500);
        assert.equal((await readUsage(groups)).pids.current, 2);
        await during;
        assert.doesNotMatch(
          readFileSync(`/proc/${running.container.supervisor.child.pid}/cgroup`, 'utf8'),
          new RegExp(running.container.id),
        );
      },
    },
    {
      name: 'its processes are frozen, and go on when thawed',
      missing: needs('freezer'),
      async run() {
        await using running = await launchShell('sleep 0.05 & while :; do echo x; sleep 0.02; done');
        const { owner } = running.container.supervisor;
        await owner.untilBytes(10);
        const groups = await freeze(cgroup, running);
        assert.equal(freezerState(groups), 'frozen');
        await sleep(50);
        const frozen = owner.output().length;
        await sleep(400);
        assert.equal(owner.output().length, frozen);
        await thawGroups(groups);
        assert.equal(freezerState(groups), 'thawed');
        await owner.untilBytes(frozen + 10);
        await running.container.supervisor[Symbol.asyncDispose]();
        await removeGroups(groups);
        assertGone(groups);
      },
    },
    {
      name: 'a frozen container whose supervisor was killed can be removed',
      missing: needs('freezer'),
      async run() {
        await using running = await launchShell('sleep 1000');
        const groups = await freeze(cgroup, running);
        await killSupervisor(running);
        await removeGroups(groups);
        assertGone(groups);
      },
    },
    {
      name: 'what a killed supervisor leaves is found by its groups and removed',
      async run() {
        await using running = await launchShell('sleep 1000 & sleep 1000 & wait');
        await killSupervisor(running);
        assert.ok(running.container.cgroup.groups.some(({ directory }) => existsSync(directory)));
        await removeGroups(running.container.cgroup.groups);
        assertGone(running.container.cgroup.groups);
      },
    },
    {
      name: 'groups that the container made inside its own go with it',
      async run() {
        const script =
          'for d in /sys/fs/cgroup/inner /sys/fs/cgroup/pids/inner; do mkdir $d 2>/dev/null && [ -e $d/cgroup.procs ] && { sleep 1000 & echo $! > $d/cgroup.procs && echo made; }; done; wait';
        const running = await launchShell(script, { mode: 'privileged' });
        await running.container.supervisor.owner.until((output) => output.includes('made'));
        await running[Symbol.asyncDispose]();
        assertGone(running.container.cgroup.groups);
      },
    },
    {
      name: 'nothing is left of a container that has ended, or that could not be started',
      async run() {
        const running = await launchShell('exit 0');
        await running[Symbol.asyncDispose]();
        assertGone(running.container.cgroup.groups);
        using rootfs = new Rootfs();
        await using failed = await IsolatedContainer.launch(rootfs, ['/absent']);
        assert.notEqual((await failed.end()).failure, undefined);
        await failed.supervisor[Symbol.asyncDispose]();
        assertGone(failed.cgroup.groups);
      },
    },
    ...deviceCases(needs('devices')),
  ];
}

function deviceCases(needsDevices: () => string | undefined): readonly Case[] {
  const disk = '/dev/loop0';
  const missing = (): string | undefined => needsDevices() ?? (existsSync(disk) ? undefined : disk);
  const open = `dd if=${disk} of=/dev/null bs=1 count=0 && echo read; : > ${disk} && echo written`;
  return [
    {
      name: 'devices: a disk cannot be made, a null device can',
      missing: needsDevices,
      async run() {
        const { stderr, stdout } = await runShell(
          'mknod /tmp/disk b 7 0 && echo made; mknod /tmp/null c 1 3 && dd if=/dev/zero of=/tmp/null bs=1 count=1 2>/dev/null && echo null',
        );
        assert.equal(stdout, 'null\n');
        assert.match(stderr, /mknod: .*not permitted/);
      },
    },
    {
      name: 'devices: one that was given may be opened as far as was said',
      missing,
      async run() {
        const granted = await runShell(open, { settings: { devices: [`${disk}:${disk}:r`] } });
        assert.equal(granted.stdout, 'read\n', JSON.stringify(granted));
        // The positive control: with every right the same script writes.
        const all = await runShell(open, { settings: { devices: [disk] } });
        assert.equal(all.stdout, 'read\nwritten\n', JSON.stringify(all));
      },
    },
    {
      name: 'devices: a rule of the caller denies what the defaults allow, and allows what they deny',
      missing: needsDevices,
      async run() {
        const rules = ['b 7:* m', { allow: false, type: 'c', major: 1, minor: 5, access: 'r' }] as const;
        const { stdout, stderr } = await runShell(
          'dd if=/dev/zero of=/dev/null bs=1 count=1 && echo zero; mknod /tmp/disk b 7 0 && echo made',
          { settings: { deviceRules: [...rules] } },
        );
        assert.equal(stdout, 'made\n');
        assert.match(stderr, /\/dev\/zero.*not permitted/);
      },
    },
    {
      name: 'devices: a privileged container has them all',
      missing,
      async run() {
        const { stdout } = await runShell(`${open}; mknod /tmp/disk b 7 0 && echo made`, { mode: 'privileged' });
        assert.equal(stdout, 'read\nwritten\nmade\n');
      },
    },
    {
      name: 'devices: an exec is held to the same rules',
      missing: needsDevices,
      async run() {
        await using running = await launchShell('sleep 1000');
        assert.match((await running.container.exec(sh('mknod /tmp/disk b 7 0'))).stderr, /not permitted/);
      },
    },
  ];
}
