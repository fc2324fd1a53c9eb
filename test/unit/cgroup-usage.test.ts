import { describe, expect, test } from 'vitest';
import { readUsage, removeGroups, updateGroups } from '../../src/cgroup/index.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';
import { FakeCgroupfs } from '../support/fake-cgroupfs.ts';

describe('usage', () => {
  test('v2', async () => {
    const files = new FakeCgroupfs().group('/g', {
      'memory.current': '1000\n',
      'memory.peak': '1200\n',
      'memory.max': 'max\n',
      'memory.swap.current': '5\n',
      'memory.stat': 'anon 1\nfile 300\ninactive_file 200\n',
      'memory.events': 'low 0\nmax 9\noom_kill 2\noom_group_kill 0\n',
      'cpu.stat': 'usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 3\nthrottled_usec 7\n',
      'pids.current': '4\n',
      'pids.max': '10\n',
      'io.stat':
        '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=9 dios=9\n',
    });
    expect(await readUsage([{ version: 2, directory: '/g', controllers: ['memory'] }], files)).toEqual({
      memory: {
        usage: 800,
        total: 1000,
        peak: 1200,
        limit: null,
        cache: 300,
        swap: 5,
        oomKills: 2,
        limitHits: 9,
        details: { anon: 1, file: 300, inactive_file: 200 },
      },
      cpu: { usage: 30_000, user: 20_000, system: 10_000, periods: 4, throttledPeriods: 3, throttled: 7000 },
      pids: { current: 4, limit: 10 },
      io: {
        readBytes: 11,
        writtenBytes: 22,
        reads: 33,
        writes: 44,
        devices: [
          { major: 8, minor: 0, readBytes: 1, writtenBytes: 2, reads: 3, writes: 4 },
          { major: 8, minor: 16, readBytes: 10, writtenBytes: 20, reads: 30, writes: 40 },
        ],
      },
    });
  });

  test('v1, from the hierarchies that the container is in', async () => {
    const files = new FakeCgroupfs()
      .group('/m', {
        'memory.usage_in_bytes': '1000',
        'memory.max_usage_in_bytes': '1100',
        'memory.failcnt': '7',
        'memory.limit_in_bytes': '9223372036854771712',
        'memory.stat': 'cache 1\ntotal_cache 300\ntotal_inactive_file 200\ntotal_swap 6\n',
        'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      })
      .group('/c', { 'cpuacct.usage': '123456\n', 'cpuacct.stat': 'user 2\nsystem 1\n' })
      .group('/b', {
        'blkio.throttle.io_service_bytes_recursive': '7:0 Read 5\n7:0 Write 6\n7:0 Total 11\nTotal 11\n',
        'blkio.throttle.io_serviced_recursive': '7:0 Read 1\n7:0 Write 2\n7:0 Total 3\nTotal 3\n',
      })
      .group('/p', { 'pids.current': '4\n', 'pids.max': 'max\n' });
    const groups = [
      ['/m', 'memory'],
      ['/c', 'cpuacct'],
      ['/p', 'pids'],
      ['/b', 'blkio'],
    ].map(([directory = '', controller = '']) => ({ version: 1 as const, directory, controllers: [controller] }));
    expect(await readUsage(groups, files)).toEqual({
      memory: {
        usage: 800,
        total: 1000,
        peak: 1100,
        limit: null,
        cache: 300,
        swap: 6,
        oomKills: 1,
        limitHits: 7,
        details: { cache: 1, total_cache: 300, total_inactive_file: 200, total_swap: 6 },
      },
      cpu: {
        usage: 123_456,
        user: 20_000_000,
        system: 10_000_000,
        periods: null,
        throttledPeriods: null,
        throttled: null,
      },
      pids: { current: 4, limit: null },
      io: {
        readBytes: 5,
        writtenBytes: 6,
        reads: 1,
        writes: 2,
        devices: [{ major: 7, minor: 0, readBytes: 5, writtenBytes: 6, reads: 1, writes: 2 }],
      },
    });
  });

  test('what is not there is null, never 0', async () => {
    const { memory, cpu, pids, io } = await readUsage([], new FakeCgroupfs());
    const { details, ...figures } = memory;
    const { devices, ...totals } = io;
    expect(Object.values({ ...figures, ...cpu, ...pids, ...totals }).every((value) => value === null)).toBe(true);
    expect([details, devices]).toEqual([{}, []]);
  });
});

describe('removal', () => {
  test('kills what is inside, with the groups that the container made there', async () => {
    const files = new FakeCgroupfs()
      .group('/h')
      .group('/h/c', { 'cgroup.procs': '5\n' })
      .group('/h/c/inner', { 'cgroup.procs': '6\n0\n' });
    const killed: number[] = [];
    await removeGroups([{ version: 1, directory: '/h/c', controllers: ['pids'] }], files, (pid) => {
      killed.push(pid);
      for (const [path, group] of files.groups)
        if (group.get('cgroup.procs')?.includes(String(pid))) files.group(path, { 'cgroup.procs': '' });
    });
    expect(killed.sort()).toEqual([5, 6]);
    expect([...files.groups.keys()]).toEqual(['/h']);
  });

  test('v2 by cgroup.kill, which takes everything at once', async () => {
    const files = new FakeCgroupfs().group('/h').group('/h/c', { 'cgroup.procs': '5\n', 'cgroup.kill': '' });
    files.onWrite = (path, value) => {
      if (path === '/h/c/cgroup.kill') files.groups.get('/h/c')?.set('cgroup.procs', '');
      return value;
    };
    await removeGroups([{ version: 2, directory: '/h/c', controllers: [] }], files, () => expect.unreachable());
    expect(files.groups.has('/h/c')).toBe(false);
  });

  test('what is not there is removed already', async () => {
    await removeGroups([{ version: 2, directory: '/gone', controllers: [] }], new FakeCgroupfs());
  });
});

describe('update', () => {
  const host: CgroupHost = {
    layout: 'v1',
    controllers: { memory: '/m', pids: '/p', cpu: '/c' },
    files: ['memory.memsw.limit_in_bytes', 'cpu.cfs_quota_us'],
    unifiedMount: null,
    unifiedParent: null,
    missing: {},
  };
  const groups = [
    { version: 1 as const, directory: '/m/x', controllers: ['memory'] },
    { version: 1 as const, directory: '/p/x', controllers: ['pids'] },
  ];
  const machine = () =>
    new FakeCgroupfs()
      .group('/m/x', { 'memory.limit_in_bytes': '100', 'memory.memsw.limit_in_bytes': '200' })
      .group('/p/x', { 'pids.max': '5' });

  test('raises memory and swap before memory, and lowers them after', async () => {
    const files = machine();
    await updateGroups(host, groups, { memory: 100 }, { memory: 1000 }, files);
    expect(files.writes).toEqual(['/m/x/memory.memsw.limit_in_bytes 2000', '/m/x/memory.limit_in_bytes 1000']);
    files.writes.length = 0;
    await updateGroups(host, groups, { memory: 1000 }, { memory: 10 }, files);
    expect(files.writes).toEqual(['/m/x/memory.limit_in_bytes 10', '/m/x/memory.memsw.limit_in_bytes 20']);
  });

  test('puts back what it had changed when a later write fails', async () => {
    const files = machine();
    files.onWrite = (path, value) => {
      if (path.endsWith('pids.max')) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
      return value;
    };
    await expect(updateGroups(host, groups, { memory: 100 }, { memory: 10, pids: 3 }, files)).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'EINVAL',
    });
    expect(await files.read('/m/x/memory.limit_in_bytes')).toBe('100');
    expect(await files.read('/m/x/memory.memsw.limit_in_bytes')).toBe('200');
  });

  test('a controller that the container was started without is named', async () => {
    await expect(updateGroups(host, groups, {}, { cpus: 1 }, machine())).rejects.toThrow(
      /not under the cpu controller/,
    );
  });
});
