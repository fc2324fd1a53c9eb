import { describe, expect, test } from 'vitest';
import { planCgroup } from '../../src/cgroup/index.ts';
import { weightOfShares } from '../../src/cgroup/limits.ts';
import { resolveResources, resourceOptions } from '../../src/cgroup/resources.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';

const v1Files = [
  'cpu.cfs_quota_us',
  'cpu.cfs_period_us',
  'memory.limit_in_bytes',
  'memory.memsw.limit_in_bytes',
  'blkio.bfq.weight',
];
const v2Files = ['cpu.max', 'cpu.weight', 'memory.max', 'memory.swap.max', 'io.max', 'io.weight', 'pids.max'];
const v1 = host(
  'v1',
  ['memory', 'pids', 'devices', 'cpuset', 'blkio', 'freezer']
    .map((name) => [name, `/cg/${name}/hako`] as const)
    .concat([
      ['cpu', '/cg/cpu,cpuacct/hako'],
      ['cpuacct', '/cg/cpu,cpuacct/hako'],
    ]),
  v1Files,
  null,
);
const v2 = host(
  'v2',
  ['cpu', 'cpuset', 'io', 'memory', 'pids', 'devices', 'freezer'].map((name) => [name, '/cg/hako'] as const),
  v2Files,
  '/cg/hako',
);
const none = host('none', [], [], null, {
  memory: 'it is not delegated',
  pids: 'it is not delegated',
  devices: 'no right',
});

function host(
  layout: CgroupHost['layout'],
  controllers: readonly (readonly [string, string])[],
  files: readonly string[],
  unifiedParent: string | null,
  missing = {},
): CgroupHost {
  return {
    layout,
    controllers: Object.fromEntries(controllers),
    files,
    unifiedMount: unifiedParent === null ? null : '/cg',
    unifiedParent,
    missing,
  };
}

const devices = async (path: string) => (path === '/dev/sda' ? { major: 8, minor: 0 } : { major: 8, minor: 16 });

async function plan(cgroup: CgroupHost, options: object, more: Partial<Parameters<typeof planCgroup>[1]> = {}) {
  return planCgroup(cgroup, {
    id: 'c1',
    resources: await resolveResources(resourceOptions.parse(options), devices),
    defaultPids: null,
    deviceRules: null,
    ...more,
  });
}

async function writes(cgroup: CgroupHost, options: object): Promise<Record<string, string>> {
  const { steps } = await plan(cgroup, options);
  return Object.fromEntries(
    steps.flatMap((step) => (step.kind === 'write' ? [[step.path.slice('/cg/'.length), String(step.value)]] : [])),
  );
}

describe('limits', () => {
  test('memory and swap: v1 counts both together, v2 swap alone', async () => {
    expect(await writes(v1, { memory: '64m', memorySwap: '96m', memoryReservation: '32m' })).toEqual({
      'memory/hako/c1/memory.limit_in_bytes': '67108864',
      'memory/hako/c1/memory.memsw.limit_in_bytes': '100663296',
      'memory/hako/c1/memory.soft_limit_in_bytes': '33554432',
    });
    expect(await writes(v2, { memory: '64m', memorySwap: '96m', memoryReservation: '32m' })).toEqual({
      'hako/c1/memory.max': '67108864',
      'hako/c1/memory.swap.max': '33554432',
      'hako/c1/memory.low': '33554432',
    });
  });

  test('swap is as much again as memory by default, and without limit when that was asked for', async () => {
    expect(await writes(v2, { memory: '64m' })).toMatchObject({ 'hako/c1/memory.swap.max': '67108864' });
    expect(await writes(v2, { memory: '64m', memorySwap: -1 })).toMatchObject({ 'hako/c1/memory.swap.max': 'max' });
    expect(Object.keys(await writes(v1, { memory: '64m', memorySwap: -1 }))).toEqual([
      'memory/hako/c1/memory.limit_in_bytes',
    ]);
  });

  test('a kernel that does not count swap: left out by default, an error when asked for', async () => {
    const without = { ...v2, files: v2Files.filter((file) => file !== 'memory.swap.max') };
    expect(Object.keys(await writes(without, { memory: '64m' }))).toEqual(['hako/c1/memory.max']);
    await expect(writes(without, { memory: '64m', memorySwap: '64m' })).rejects.toMatchObject({
      code: 'HAKO_ERR_HOST_UNSUPPORTED',
    });
  });

  test('cpus are a quota, shares a weight', async () => {
    expect(await writes(v1, { cpus: 0.5, cpuShares: 512 })).toEqual({
      'cpu,cpuacct/hako/c1/cpu.cfs_period_us': '100000',
      'cpu,cpuacct/hako/c1/cpu.cfs_quota_us': '50000',
      'cpu,cpuacct/hako/c1/cpu.shares': '512',
    });
    expect(await writes(v2, { cpus: 1.5, cpuShares: 1024 })).toEqual({
      'hako/c1/cpu.max': '150000 100000',
      'hako/c1/cpu.weight': '100',
    });
    expect(await writes(v2, { cpuQuota: 20_000, cpuPeriod: 50_000 })).toEqual({ 'hako/c1/cpu.max': '20000 50000' });
    expect(await writes(v2, { cpuPeriod: 50_000 })).toEqual({ 'hako/c1/cpu.max': 'max 50000' });
  });

  test('the weight of shares meets the ends and the default, and grows', () => {
    expect([2, 1024, 262_144].map(weightOfShares)).toEqual([1, 100, 10_000]);
    const curve = Array.from({ length: 200 }, (_, index) => weightOfShares(2 + index * 1300));
    expect(curve).toEqual(curve.toSorted((a, b) => a - b));
  });

  test('cpuset, pids, block I/O', async () => {
    const options = {
      cpusetCpus: '0-1',
      cpusetMems: '0',
      pids: -1,
      blkioWeight: 500,
      blkioDeviceReadBps: [{ path: '/dev/sda', rate: '1m' }],
      blkioDeviceWriteIOps: [
        { path: '/dev/sda', rate: 50 },
        { path: '/dev/sdb', rate: 7 },
      ],
    };
    expect(await writes(v1, options)).toEqual({
      'cpuset/hako/c1/cpuset.cpus': '0-1',
      'cpuset/hako/c1/cpuset.mems': '0',
      'pids/hako/c1/pids.max': 'max',
      'blkio/hako/c1/blkio.bfq.weight': '500',
      'blkio/hako/c1/blkio.throttle.read_bps_device': '8:0 1048576',
      'blkio/hako/c1/blkio.throttle.write_iops_device': '8:16 7',
    });
    const { steps } = await plan(v2, options);
    expect(
      steps.filter((step) => step.kind === 'write').map((step) => `${step.path.split('/').at(-1)} ${step.value}`),
    ).toEqual([
      'cpuset.cpus 0-1',
      'cpuset.mems 0',
      'pids.max max',
      'io.weight 4950',
      'io.max 8:0 rbps=1048576 wiops=50',
      'io.max 8:16 wiops=7',
    ]);
  });

  test('a limit whose controller is missing is an error with the reason', async () => {
    await expect(plan(none, { memory: '64m' })).rejects.toThrow(/memory.*it is not delegated/);
    await expect(plan(none, { pids: 5 })).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
    await expect(plan({ ...v1, files: [] }, { blkioWeight: 100 })).rejects.toThrow(/no I\/O scheduler with weights/);
  });
});

describe('the plan of a container', () => {
  const rules = [{ allow: false, type: 'a' as const, major: null, minor: null, access: 'rwm' }];

  test('v1: one group in each hierarchy that is needed, joined after its limits are set', async () => {
    const { steps, groups, oom, degraded } = await plan(v1, {}, { defaultPids: 10, deviceRules: rules });
    expect(groups.map(({ directory }) => directory)).toEqual([
      '/cg/pids/hako/c1',
      '/cg/devices/hako/c1',
      '/cg/memory/hako/c1',
      '/cg/cpu,cpuacct/hako/c1',
    ]);
    expect(groups[3]?.controllers).toEqual(['cpu', 'cpuacct']);
    expect(steps.slice(0, 6)).toEqual([
      { kind: 'mkdir', path: '/cg/pids/hako/c1' },
      { kind: 'write', path: '/cg/pids/hako/c1/pids.max', value: '10' },
      { kind: 'join', directory: '/cg/pids/hako/c1' },
      { kind: 'mkdir', path: '/cg/devices/hako/c1' },
      { kind: 'write', path: '/cg/devices/hako/c1/devices.deny', value: 'a' },
      { kind: 'join', directory: '/cg/devices/hako/c1' },
    ]);
    expect(oom).toEqual({ file: '/cg/memory/hako/c1/memory.oom_control', key: 'oom_kill' });
    expect(degraded).toEqual([]);
  });

  test('v2: one group, into which the process is born', async () => {
    const { steps, groups, oom } = await plan(v2, { memory: '8m' }, { defaultPids: 10, deviceRules: rules });
    expect(groups).toHaveLength(1);
    expect(steps.map(({ kind }) => kind)).toEqual(['mkdir', 'write', 'write', 'write', 'devices', 'into']);
    expect(oom).toEqual({ file: '/cg/hako/c1/memory.events', key: 'oom_kill' });
  });

  test('hybrid: v2 is left alone when it has no controller that is needed', async () => {
    const hybrid = { ...v1, layout: 'hybrid' as const, unifiedMount: '/cg/unified', unifiedParent: '/cg/unified/hako' };
    const { groups } = await plan(hybrid, {});
    expect(groups.every(({ version }) => version === 1)).toBe(true);
    const mixed = {
      ...hybrid,
      controllers: { ...hybrid.controllers, memory: '/cg/unified/hako' },
      files: [...v1Files, ...v2Files],
    };
    const { steps, groups: both } = await plan(mixed, { memory: '8m' });
    expect(both.find(({ version }) => version === 2)).toEqual({
      version: 2,
      directory: '/cg/unified/hako/c1',
      controllers: ['memory'],
    });
    expect(steps).toContainEqual({ kind: 'into', directory: '/cg/unified/hako/c1' });
  });

  test('nothing to be had: no group, and defaults are told as degraded', async () => {
    const planned = await plan(none, {}, { defaultPids: 10, deviceRules: rules });
    expect(planned).toMatchObject({ steps: [], groups: [], oom: null });
    expect(planned.degraded).toEqual([
      expect.objectContaining({ what: 'pids limit', why: 'it is not delegated' }),
      expect.objectContaining({ what: 'device rules', why: 'no right' }),
    ]);
  });
});

describe('resource options', () => {
  test.each([
    [{ memory: 1e18 }],
    [{ memory: '1e999' }],
    [{ memory: Number.NaN }],
    [{ memory: -0 }],
    [{ memory: -1 }],
    [{ memory: '5m' }],
    [{ memory: 'lots' }],
    [{ memory: Number.POSITIVE_INFINITY }],
    [{ cpus: 0 }],
    [{ cpus: -0 }],
    [{ cpus: Number.NaN }],
    [{ cpus: 1e18 }],
    [{ cpuShares: 1 }],
    [{ cpuShares: 1e18 }],
    [{ cpusetCpus: '0-99999999999' }],
    [{ cpusetCpus: '3-1' }],
    [{ cpusetCpus: '' }],
    [{ cpusetMems: '1e999' }],
    [{ pids: 0 }],
    [{ pids: -2 }],
    [{ pids: 1e18 }],
    [{ pids: 1.5 }],
    [{ blkioWeight: 5 }],
    [{ blkioDeviceReadBps: [{ path: 'sda', rate: 1 }] }],
    [{ blkioDeviceReadBps: [{ path: '/dev/sda', rate: 0 }] }],
    [{ memroy: 1 }],
  ])('refuses %o', (options) => {
    expect(resourceOptions.safeParse(options).success).toBe(false);
  });

  test.each([
    [{ memorySwap: '1g' }, /needs memory/],
    [{ memory: '2g', memorySwap: '1g' }, /less than memory/],
    [{ memory: '1g', memoryReservation: '2g' }, /more than memory/],
    [{ cpus: 1, cpuQuota: 1000 }, /twice/],
  ])('refuses %o, which contradicts itself', async (options, sentence) => {
    await expect(resolveResources(resourceOptions.parse(options), devices)).rejects.toThrow(sentence);
  });
});
