import { describe, expect, test } from 'vitest';
import { readUsage, removeGroups, updateGroups } from '../../src/cgroup/index.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';
import { FakeCgroupfs } from '../support/fake-cgroupfs.ts';

describe('usage', () => {
  test('v2', async () => {
    const files = new FakeCgroupfs().group('/g', {
      'memory.current': '1000\n',
      'memory.max': 'max\n',
      'memory.swap.current': '5\n',
      'memory.stat': 'anon 1\nfile 300\ninactive_file 200\n',
      'memory.events': 'low 0\noom_kill 2\noom_group_kill 0\n',
      'cpu.stat': 'usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 3\nthrottled_usec 7\n',
      'pids.current': '4\n',
      'pids.max': '10\n',
      'io.stat':
        '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=9 dios=9\n',
    });
    expect(await readUsage([{ version: 2, directory: '/g', controllers: ['memory'] }], files)).toEqual({
      memory: { usage: 800, limit: null, cache: 300, swap: 5, oomKills: 2 },
      cpu: { usage: 30_000n, user: 20_000n, system: 10_000n, throttledPeriods: 3, throttled: 7000n },
      pids: { current: 4, limit: 10 },
      io: { readBytes: 11n, writtenBytes: 22n, reads: 33n, writes: 44n },
    });
  });

  test('v1, from the hierarchies that the container is in', async () => {
    const files = new FakeCgroupfs()
      .group('/m', {
        'memory.usage_in_bytes': '1000',
        'memory.limit_in_bytes': '9223372036854771712',
        'memory.stat': 'cache 1\ntotal_cache 300\ntotal_inactive_file 200\ntotal_swap 6\n',
        'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      })
      .group('/c', { 'cpuacct.usage': '123456\n', 'cpuacct.stat': 'user 2\nsystem 1\n' })
      .group('/p', { 'pids.current': '4\n', 'pids.max': 'max\n' });
    const groups = [
      ['/m', 'memory'],
      ['/c', 'cpuacct'],
      ['/p', 'pids'],
    ].map(([directory = '', controller = '']) => ({ version: 1 as const, directory, controllers: [controller] }));
    expect(await readUsage(groups, files)).toEqual({
      memory: { usage: 800, limit: null, cache: 300, swap: 6, oomKills: 1 },
      cpu: { usage: 123_456n, user: 20_000_000n, system: 10_000_000n, throttledPeriods: null, throttled: null },
      pids: { current: 4, limit: null },
      io: { readBytes: null, writtenBytes: null, reads: null, writes: null },
    });
  });

  test('what is not there is null, never 0', async () => {
    const { memory, cpu, pids, io } = await readUsage([], new FakeCgroupfs());
    expect(Object.values({ ...memory, ...cpu, ...pids, ...io }).every((value) => value === null)).toBe(true);
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
    await updateGroups(host, groups, { memory: 1000 }, files);
    expect(files.writes).toEqual(['/m/x/memory.memsw.limit_in_bytes 2000', '/m/x/memory.limit_in_bytes 1000']);
    files.writes.length = 0;
    await updateGroups(host, groups, { memory: 10 }, files);
    expect(files.writes).toEqual(['/m/x/memory.limit_in_bytes 10', '/m/x/memory.memsw.limit_in_bytes 20']);
  });

  test('puts back what it had changed when a later write fails', async () => {
    const files = machine();
    files.onWrite = (path, value) => {
      if (path.endsWith('pids.max')) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
      return value;
    };
    await expect(updateGroups(host, groups, { memory: 10, pids: 3 }, files)).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      errno: 'EINVAL',
    });
    expect(await files.read('/m/x/memory.limit_in_bytes')).toBe('100');
    expect(await files.read('/m/x/memory.memsw.limit_in_bytes')).toBe('200');
  });

  test('a controller that the container was started without is named', async () => {
    await expect(updateGroups(host, groups, { cpus: 1 }, machine())).rejects.toThrow(
      /started without a limit of the cpu controller/,
    );
  });
});
