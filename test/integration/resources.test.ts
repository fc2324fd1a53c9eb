import { existsSync, readFileSync } from 'node:fs';
import { type Container, HakoError, type ResourceOptions, Runtime, toDockerStats } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const MiB = 2 ** 20;

const rejection = async (promise: Promise<unknown>): Promise<HakoError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HakoError);
  return error as HakoError;
};

/** The first file of these names in the container's groups, as the kernel has it. */
async function limit(container: Container, ...names: readonly string[]): Promise<string> {
  const { state } = await container.inspect();
  if (state.status !== 'running' && state.status !== 'paused') throw new Error(state.status);
  const paths = state.cgroups.flatMap((directory) => names.map((name) => `${directory}/${name}`));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`none of ${names.join(', ')} in ${state.cgroups.join(', ')}`);
  return readFileSync(found, 'utf8').trim();
}

const limits = {
  memory: (container: Container) => limit(container, 'memory.limit_in_bytes', 'memory.max'),
  swap: (container: Container) => limit(container, 'memory.memsw.limit_in_bytes', 'memory.swap.max'),
  cpu: (container: Container) => limit(container, 'cpu.cfs_quota_us', 'cpu.max'),
  shares: (container: Container) => limit(container, 'cpu.shares', 'cpu.weight'),
  cpuset: (container: Container) => limit(container, 'cpuset.cpus'),
  pids: (container: Container) => limit(container, 'pids.max'),
  readBps: (container: Container) => limit(container, 'blkio.throttle.read_bps_device', 'io.max'),
};

describeWith({ root: true, tools: ['busybox'] }, 'limits that are changed', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const running = async (resources: ResourceOptions = {}, command: readonly string[] = ['sleep', '60']) => {
    const container = await test.runtime.containers.create({
      image,
      command: [...command],
      resources,
      ephemeral: true,
    });
    await container.start();
    return container;
  };

  it('hold at once and after the next start, also for what it was started without', async () => {
    await using container = await running({ memory: '64m' });
    const before = await limits.memory(container);
    await container.update({
      resources: { memory: '32m', memorySwap: '48m', pids: 9, cpus: 0.5, cpuShares: 512, cpusetCpus: '0' },
    });
    const seen = async () => [
      await limits.memory(container),
      await limits.pids(container),
      await limits.cpu(container),
      await limits.shares(container),
      await limits.cpuset(container),
    ];
    const held = await seen();
    expect(before).toBe(String(64 * MiB));
    expect(held[0]).toBe(String(32 * MiB));
    expect(held[1]).toBe('9');
    expect(held[2]).toMatch(/^50000( 100000)?$/);
    expect(held[4]).toBe('0');
    // Not only the files: what runs there is held.
    expect((await container.exec(['grep', 'Cpus_allowed_list', '/proc/1/status'])).stdout.toString()).toMatch(/\t0\n$/);
    expect((await container.exec(['grep', 'Cpus_allowed_list', '/proc/self/status'])).stdout.toString()).toMatch(
      /\t0\n$/,
    );
    expect((await container.inspect()).options.resources).toEqual({
      memory: '32m',
      memorySwap: '48m',
      pids: 9,
      cpus: 0.5,
      cpuShares: 512,
      cpusetCpus: '0',
    });
    await container.kill();
    await container.wait();
    await container.start();
    expect(await seen()).toEqual(held);
  });

  it('are taken away with null, and others stay', async () => {
    await using container = await running({ memory: '64m', pids: 5, cpus: 0.5, cpusetCpus: '0', cpuShares: 512 });
    await container.update({ resources: { cpus: null, cpuShares: null, cpusetCpus: null, pids: null } });
    expect(await limits.cpu(container)).toMatch(/^(-1|max 100000)$/);
    expect(await limits.shares(container)).toMatch(/^(1024|100)$/);
    expect(await limits.pids(container)).toBe('4096');
    expect(await limits.memory(container)).toBe(String(64 * MiB));
    expect((await container.exec(['grep', 'Cpus_allowed_list', '/proc/1/status'])).stdout.toString()).toContain(
      readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\s*(.*)$/m)?.[1] ?? 'nothing',
    );
    expect((await container.inspect()).options.resources).toEqual({ memory: '64m' });
    await container.update({ resources: { memory: null } });
    expect(await limits.memory(container)).toMatch(/^(max|9223372036854771712)$/);
    // Swap follows memory, unless it was said otherwise.
    expect(await limits.swap(container)).toMatch(/^(max|9223372036854771712)$/);
  });

  it('go up and down', async () => {
    await using container = await running({ memory: '64m' });
    for (const size of [128, 16, 256]) {
      await container.update({ resources: { memory: size * MiB } });
      expect(await limits.memory(container)).toBe(String(size * MiB));
    }
  });

  it('of block devices are set, changed and taken away one by one', async (context) => {
    if (!existsSync('/dev/loop0')) return context.skip('no /dev/loop0');
    await using container = await running();
    await container.update({ resources: { blkioDeviceReadBps: [{ path: '/dev/loop0', rate: '1m' }] } });
    expect(await limits.readBps(container)).toMatch(/^7:0 (rbps=)?1048576/);
    await container.update({
      resources: { blkioDeviceReadBps: null, blkioDeviceWriteIOps: [{ path: '/dev/loop0', rate: 50 }] },
    });
    expect(await limits.readBps(container)).not.toMatch(/1048576/);
    expect(await limit(container, 'blkio.throttle.write_iops_device', 'io.max')).toMatch(/^7:0 .*50$/);
  });

  it('are refused by the kernel as one: neither the others nor the record change', async () => {
    // Files in memory that cannot be taken back, as there is no room to swap them to.
    await using container = await running({ memory: '64m', memorySwap: '64m', pids: 20 }, [
      'sh',
      '-c',
      'head -c 30000000 /dev/zero > /dev/shm/file; touch /ready; sleep 60',
    ]);
    await expect.poll(async () => (await container.exec(['ls', '/'])).stdout.toString()).toContain('ready');
    const error = await rejection(
      container.update({ resources: { pids: 7, cpus: 0.3, memory: '8m', memorySwap: '8m' } }),
    );
    expect([error.code, error.errno]).toEqual(['HAKO_ERR_SYSCALL_FAILED', 'EBUSY']);
    expect(await limits.memory(container)).toBe(String(64 * MiB));
    expect(await limits.pids(container)).toBe('20');
    expect((await container.inspect()).options.resources).toEqual({ memory: '64m', memorySwap: '64m', pids: 20 });
    expect((await container.inspect()).state.status).toBe('running');
  });

  it('are checked as those of create are', async () => {
    await using container = await running({ cpus: 1, memory: '64m', memorySwap: '64m' });
    const refused = async (resources: object) => (await rejection(container.update({ resources } as never))).message;
    expect(await refused({ memory: '1k' })).toMatch(/6m/);
    expect(await refused({ memmory: '1g' })).toMatch(/unknown option 'resources.memmory'/);
    expect(await refused({ memory: '128m' })).toMatch(/memorySwap.*cannot be less than memory/);
    expect(await refused({ cpus: 1, cpuQuota: 5000 })).toMatch(/say the same thing twice/);
    expect(await refused({ cpuRealtimeRuntime: 1000 })).toMatch(/real-time/);
    expect(await refused({ cpus: 8_192 })).toMatch(/there are \d+ CPUs here/);
    await expect(running({ cpus: 8_192 })).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
    expect((await rejection(container.update({ memory: '1g' } as never))).message).toMatch(/known: .*resources/);
    // A quota takes the place of the CPUs that were given before.
    await container.update({ resources: { cpuQuota: 20_000, cpuPeriod: 50_000 } });
    expect(await limits.cpu(container)).toMatch(/^20000( 50000)?$/);
    expect((await container.inspect()).options.resources).toEqual({
      memory: '64m',
      memorySwap: '64m',
      cpuQuota: 20_000,
      cpuPeriod: 50_000,
    });
  });

  it('of a container that does not run wait for its start', async () => {
    await using container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    await container.update({ resources: { pids: 11, cpus: 0.25 } });
    await container.start();
    expect(await limits.pids(container)).toBe('11');
    expect(await limits.cpu(container)).toMatch(/^25000( 100000)?$/);
  });

  it('are changed by several at once without one being lost', async () => {
    await using container = await running({ memory: '64m' });
    await using other = await Runtime.open({ root: test.root });
    const twin = await other.containers.get(container.id);
    await Promise.all([
      container.update({ resources: { pids: 31 } }),
      twin.update({ resources: { memory: '96m' } }),
      container.update({ resources: { cpuShares: 300 } }),
      twin.update({ resources: { cpus: 0.7 } }),
    ]);
    expect((await container.inspect()).options.resources).toEqual({
      memory: '96m',
      pids: 31,
      cpuShares: 300,
      cpus: 0.7,
    });
    expect([await limits.pids(container), await limits.memory(container)]).toEqual(['31', String(96 * MiB)]);
    expect(await limits.cpu(container)).toMatch(/^70000( 100000)?$/);
  });

  it('leave no control group behind, also those that were joined later', async () => {
    const container = await running();
    await container.update({ resources: { cpus: 0.5, cpusetCpus: '0' } });
    await container.pause();
    const { state } = await container.inspect();
    const groups = state.status === 'paused' ? state.cgroups : [];
    expect(groups.length).toBeGreaterThan(0);
    expect(groups.filter((directory) => !existsSync(directory))).toEqual([]);
    await container.remove({ force: true });
    expect(groups.filter((directory) => existsSync(directory))).toEqual([]);
  });

  it('tell of themselves by an event', async () => {
    await using container = await running();
    const seen: string[] = [];
    test.runtime.on('container:update', ({ id }) => seen.push(id));
    await container.update({ resources: { pids: 50 } });
    expect(seen).toEqual([container.id]);
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'statistics', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const running = async (resources: ResourceOptions, command: string) => {
    const container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', command],
      resources,
      ephemeral: true,
    });
    await container.start();
    return container;
  };

  it('are read once, with what was given as limits', async () => {
    await using container = await running({ memory: '64m', pids: 33 }, 'sleep 60');
    const stats = await container.stats();
    expect(stats).toMatchObject({ id: container.id, name: container.name, previous: null, cpuPercent: null });
    expect(stats.memory.limit).toBe(64 * MiB);
    expect(stats.memory.usage).toBeGreaterThan(0);
    expect(stats.memory.total).toBeGreaterThanOrEqual(stats.memory.usage ?? Number.NaN);
    expect(stats.memoryPercent).toBeCloseTo((100 * (stats.memory.usage ?? 0)) / (64 * MiB));
    expect(stats.pids).toEqual({ current: 1, limit: 33 });
    expect(stats.cpu.usage).toBeGreaterThan(0);
    expect(Math.abs(Date.now() - stats.time.getTime())).toBeLessThan(10_000);
  });

  it('count CPU time as docker does', async () => {
    await using container = await running({ cpus: 0.2 }, 'while :; do :; done');
    const stats = await container.stats({ interval: 1 });
    expect(stats.cpuPercent).toBeGreaterThan(8);
    expect(stats.cpuPercent).toBeLessThan(32);
    expect(stats.cpu.throttledPeriods).toBeGreaterThan(0);
    // docker/cli's formula over Docker's fields gives the same.
    const { cpu_stats: now, precpu_stats: before, ...docker } = toDockerStats(stats);
    const cpu = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
    const machine = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
    expect((cpu / machine) * (now.online_cpus ?? 0) * 100).toBeCloseTo(stats.cpuPercent ?? Number.NaN, 6);
    expect(docker).toMatchObject({ id: container.id, name: `/${container.name}`, os_type: 'linux' });
    expect(Date.parse(docker.read) - Date.parse(docker.preread)).toBeGreaterThan(900);
    expect(docker.memory_stats.limit).toBe(stats.host.memory);
    expect(docker.pids_stats).toMatchObject({ current: 1 });
    expect(JSON.parse(JSON.stringify(docker))).toEqual(docker);
  });

  it('come again and again until the container ends', async () => {
    await using container = await running({}, 'sleep 60');
    const seen: number[] = [];
    for await (const stats of container.watchStats({ interval: 0.05 })) {
      expect(stats.previous?.time.getTime() ?? null).toBe(seen.at(-1) ?? null);
      seen.push(stats.time.getTime());
      if (seen.length === 3) await container.kill();
    }
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.length).toBeLessThan(6);
    expect((seen[1] ?? 0) - (seen[0] ?? 0)).toBeGreaterThan(30);
  });

  it('end with the reason of their signal, and with their reader', async () => {
    await using container = await running({}, 'sleep 60');
    const reason = new Error('enough');
    const aborter = new AbortController();
    const iterator = container.watchStats({ interval: 60, signal: aborter.signal })[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    aborter.abort(reason);
    await expect(next).rejects.toBe(reason);
    for await (const stats of container.watchStats()) if (stats.previous === null) break;
    await expect(container.stats({ interval: 60, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('are not to be had of a container that does not run', async () => {
    const container = await test.runtime.containers.create({ image, command: ['true'] });
    expect((await rejection(container.stats())).code).toBe('HAKO_ERR_CONTAINER_NOT_RUNNING');
    await expect(container.watchStats()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_NOT_RUNNING',
    });
    expect((await rejection(container.stats({ interval: 0 }))).code).toBe('HAKO_ERR_INVALID_OPTION');
    await container.remove();
  });

  it('have the pressure of the container on v2, of the machine on v1, none where the kernel keeps none', async () => {
    await using container = await running({}, 'sleep 60');
    const { pressure } = await container.stats();
    const { host } = await test.runtime.info();
    if (!existsSync('/proc/pressure/cpu')) expect(pressure).toBeNull();
    else {
      expect(pressure?.scope).toBe(host.cgroup.layout === 'v2' ? 'container' : 'host');
      for (const resource of ['cpu', 'memory', 'io'] as const)
        expect(pressure?.[resource]?.some.total, resource).toBeGreaterThanOrEqual(0);
    }
  });

  it('do not hold up the event loop', async () => {
    await using container = await running({}, 'sleep 60');
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await Promise.all(Array.from({ length: 50 }, () => container.stats()));
    clearInterval(timer);
    expect(longest).toBeLessThan(200);
  });
});
