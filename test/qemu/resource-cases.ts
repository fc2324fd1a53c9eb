import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, Image, type ResourceOptions, Runtime } from 'libhako';
import type { Case } from '../support/case.ts';

const MiB = 2 ** 20;
const greedy = 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null';

async function running(
  runtime: Runtime,
  script: string,
  resources: ResourceOptions = {},
): Promise<{ container: Container; read: (file: string) => string }> {
  const container = await runtime.containers.create({
    image: Image.fromHost(),
    command: ['/bin/sh', '-c', script],
    resources,
    ephemeral: true,
    log: 'none',
  });
  await container.start();
  const { state } = await container.inspect();
  assert.ok(state.status === 'running');
  const [group] = state.cgroups;
  return { container, read: (file) => readFileSync(`${group}/${file}`, 'utf8').trim() };
}

/** Limits, statistics and pauses by the public API, where all controllers are of version 2. */
export const resourceCases: readonly Case[] = [
  {
    name: 'limits are changed and taken away while it runs',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-resources' });
      const { container, read } = await running(runtime, 'sleep 1000', { memory: '64m' });
      await using _ = container;
      await container.update({
        resources: { memory: '32m', memorySwap: '48m', cpus: 0.5, cpuShares: 512, cpusetCpus: '0', pids: 9 },
      });
      const files = ['memory.max', 'memory.swap.max', 'cpu.max', 'cpu.weight', 'cpuset.cpus', 'pids.max'];
      assert.deepEqual(files.map(read), [String(32 * MiB), String(16 * MiB), '50000 100000', '59', '0', '9']);
      await container.update({
        resources: { memory: null, memorySwap: null, cpus: null, cpuShares: null, cpusetCpus: null, pids: null },
      });
      // The CPUs of the group above, by name or by following it.
      assert.match(read('cpuset.cpus'), /^(0-1)?$/);
      assert.deepEqual(files.filter((file) => file !== 'cpuset.cpus').map(read), [
        'max',
        'max',
        'max 100000',
        '100',
        '4096',
      ]);
    },
  },
  {
    name: 'less memory than is in use is refused, and nobody is killed',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-resources' });
      const { container, read } = await running(
        runtime,
        'dd if=/dev/zero of=/dev/shm/file bs=1M count=30 2>/dev/null; touch /tmp/ready; sleep 1000',
        { memory: '64m', memorySwap: '64m' },
      );
      await using _ = container;
      while ((await container.exec(['/bin/sh', '-c', 'test -e /tmp/ready'])).exitCode !== 0) await sleep(50);
      await assert.rejects(container.update({ resources: { pids: 5, memory: '16m', memorySwap: '16m' } }), {
        code: 'HAKO_ERR_SYSCALL_FAILED',
        errno: 'EBUSY',
      });
      assert.deepEqual([read('memory.max'), read('pids.max')], [String(64 * MiB), '4096']);
      assert.equal((await container.stats()).memory.oomKills, 0);
    },
  },
  {
    name: 'a paused container is held, refuses execs, and is stopped',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-resources' });
      const { container } = await running(
        runtime,
        'trap "exit 5" TERM; touch /tmp/ready; while :; do sleep 0.02; done',
      );
      await using _ = container;
      while ((await container.exec(['/bin/sh', '-c', 'test -e /tmp/ready'])).exitCode !== 0) await sleep(50);
      await container.pause();
      assert.equal((await container.inspect()).state.status, 'paused');
      await sleep(100);
      const before = (await container.stats()).cpu.usage;
      await sleep(400);
      assert.equal((await container.stats()).cpu.usage, before);
      await assert.rejects(container.exec(['true']), { code: 'HAKO_ERR_CONTAINER_PAUSED' });
      await container.unpause();
      await sleep(400);
      assert.ok(((await container.stats()).cpu.usage ?? 0) > (before ?? 0));
      await container.pause();
      assert.equal((await container.stop()).exitCode, 5);
    },
  },
  {
    name: 'a kill of a process that ran out of memory is told while others go on',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-resources' });
      const { container } = await running(runtime, `sleep 1; ${greedy}; sleep 1000`, {
        memory: '32m',
        memorySwap: '32m',
      });
      await using _ = container;
      const { promise, resolve } = Promise.withResolvers<number>();
      container.on('oom', ({ kills }) => resolve(kills));
      assert.equal(await promise, 1);
      assert.equal((await container.inspect()).state.status, 'running');
    },
  },
  {
    name: 'statistics have every figure, and the pressure of the container itself',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-resources' });
      const { container } = await running(runtime, 'while :; do :; done', { cpus: 0.3, memory: '64m' });
      await using _ = container;
      const { memory, cpu, pids, cpuPercent, pressure } = await container.stats({ interval: 1 });
      const { details, ...figures } = memory;
      assert.deepEqual(
        Object.entries({ ...figures, ...cpu, ...pids }).filter(([, value]) => value === null),
        [],
      );
      assert.equal(memory.limit, 64 * MiB);
      assert.ok((details['anon'] ?? 0) > 0);
      assert.ok(cpuPercent !== null && cpuPercent > 10 && cpuPercent < 60, `${cpuPercent} percent`);
      assert.equal(pressure?.scope, 'container');
      assert.ok((pressure?.cpu?.some.total ?? 0) > 0, JSON.stringify(pressure));
    },
  },
];
