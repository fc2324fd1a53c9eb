import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  freezeGroups,
  freezerState,
  GatheredReads,
  joinController,
  readPressure,
  thawGroups,
} from '../../src/cgroup/index.ts';
import { limitChanges } from '../../src/cgroup/limits.ts';
import { updateGroups } from '../../src/cgroup/update.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';
import { FakeCgroupfs } from '../support/fake-cgroupfs.ts';

const v1: CgroupHost = {
  layout: 'v1',
  controllers: { memory: '/m', pids: '/p', cpu: '/c', cpuset: '/s', blkio: '/b', freezer: '/f' },
  files: ['memory.memsw.limit_in_bytes', 'cpu.cfs_quota_us', 'blkio.bfq.weight'],
  unifiedMount: null,
  unifiedParent: null,
  missing: {},
};
const v2: CgroupHost = {
  layout: 'v2',
  controllers: Object.fromEntries(['memory', 'pids', 'cpu', 'cpuset', 'io', 'freezer'].map((name) => [name, '/u'])),
  files: ['memory.swap.max', 'cpu.max', 'io.weight'],
  unifiedMount: '/u',
  unifiedParent: '/u',
  missing: {},
};
const unified = [{ version: 2 as const, directory: '/u/x', controllers: Object.keys(v2.controllers) }];
const values = (host: CgroupHost, ...[before, after]: [object, object]) =>
  limitChanges(host, before, after).map(({ file, value }) => `${file} ${value}`);

describe('the change from one set of limits to another', () => {
  test('writes what is there, and the defaults of what is there no more', () => {
    const everything = {
      memory: 100,
      memoryReservation: 50,
      cpus: 1,
      cpuShares: 512,
      cpusetCpus: '0',
      cpusetMems: '0',
      pids: 5,
      blkioWeight: 500,
      throttles: [{ major: 8, minor: 0, readBps: 5, writeIOps: 6 }],
    };
    expect(values(v2, everything, { memory: 30 })).toEqual([
      'memory.low 0',
      'cpu.max max 100000',
      'cpu.weight 100',
      'cpuset.cpus \n',
      'cpuset.mems \n',
      'pids.max max',
      'io.weight 100',
      'io.max 8:0 rbps=max wbps=max riops=max wiops=max',
      'memory.max 30',
      'memory.swap.max 30',
    ]);
    expect(values(v1, everything, {})).toEqual([
      'memory.limit_in_bytes -1',
      'memory.memsw.limit_in_bytes -1',
      'memory.soft_limit_in_bytes -1',
      'cpu.cfs_period_us 100000',
      'cpu.cfs_quota_us -1',
      'cpu.shares 1024',
      'cpuset.cpus \n',
      'cpuset.mems \n',
      'pids.max max',
      'blkio.bfq.weight 100',
      'blkio.throttle.read_bps_device 8:0 0',
      'blkio.throttle.write_iops_device 8:0 0',
    ]);
  });

  test('tells devices apart', () => {
    const of = (...minors: readonly number[]) => ({
      throttles: minors.map((minor) => ({ major: 8, minor, readBps: 5 })),
    });
    expect(values(v2, of(0, 16), of(16, 32))).toEqual([
      'io.max 8:0 rbps=max wbps=max riops=max wiops=max',
      'io.max 8:16 rbps=5',
      'io.max 8:32 rbps=5',
    ]);
  });

  test('gives a cpuset back to the group above, which v1 has to be told by name', async () => {
    const files = new FakeCgroupfs()
      .group('/s', { 'cpuset.cpus': '0-3\n' })
      .group('/s/x', { 'cpuset.cpus': '1\n' })
      .group('/u/x', { 'cpuset.cpus': '1\n', 'cpuset.cpus.effective': '1\n' });
    const groups = [{ version: 1 as const, directory: '/s/x', controllers: ['cpuset'] }];
    await updateGroups(v1, groups, { cpusetCpus: '1' }, {}, files);
    await updateGroups(v2, unified, { cpusetCpus: '1' }, {}, files);
    expect(files.writes).toEqual(['/s/x/cpuset.cpus 0-3', '/u/x/cpuset.cpus \n']);
    // Kernels do not take that back from a group with processes.
    files.group('/u', { 'cpuset.cpus.effective': '0-7\n' }).onWrite = (_, value) => {
      if (value === '\n') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      return value;
    };
    await updateGroups(v2, unified, { cpusetCpus: '1' }, {}, files);
    expect(files.writes.at(-1)).toBe('/u/x/cpuset.cpus 0-7');
  });

  test('on v2 refuses a limit of memory under what stays in use after a try to take it back', async () => {
    const files = new FakeCgroupfs().group('/u/x', {
      'memory.current': '1000\n',
      'memory.stat': 'inactive_file 100\nactive_file 50\n',
      'memory.max': 'max\n',
      'memory.swap.max': 'max\n',
      'memory.reclaim': '',
      'pids.max': '9\n',
    });
    files.onWrite = (path, value) => {
      if (path.endsWith('memory.reclaim'))
        files.groups.get('/u/x')?.set('memory.current', String(1000 - Number(value) / 2));
      return value;
    };
    // 850 in use, of which 50 come back.
    await expect(updateGroups(v2, unified, {}, { memory: 750 }, files)).rejects.toMatchObject({ errno: 'EBUSY' });
    expect(files.writes).toEqual(['/u/x/memory.reclaim 100']);
    await updateGroups(v2, unified, {}, { memory: 800 }, files);
    expect(await files.read('/u/x/memory.max')).toBe('800');
  });
});

describe('a controller that is joined later', () => {
  const groups = [{ version: 1 as const, directory: '/p/x', controllers: ['pids'] }];

  test('gets a group, which is recorded before every process, also of inner groups, is put in', async () => {
    const files = new FakeCgroupfs()
      .group('/f')
      .group('/p/x', { 'cgroup.procs': '5\n0\n' })
      .group('/p/x/inner', { 'cgroup.procs': '6\n' })
      .text('/proc/5/cgroup', '3:pids:/x\n')
      .text('/proc/6/cgroup', '3:pids:/x/inner\n');
    const order: string[] = [];
    files.onWrite = (path, value) => {
      order.push(value);
      return `${files.groups.get('/f/x')?.get('cgroup.procs') ?? ''}${path.endsWith('procs') ? `${value}\n` : ''}`;
    };
    const joined = await joinController(
      v1,
      'x',
      groups,
      'freezer',
      {
        make: async (directory) => void files.group(directory, { 'cgroup.procs': '' }),
        record: () => order.push('recorded'),
      },
      files,
    );
    expect(joined[1]).toEqual({ version: 1, directory: '/f/x', controllers: ['freezer'] });
    expect(order).toEqual(['recorded', '5', '6']);
    // A second time: nobody is outside, and nothing is made.
    const again = await joinController(
      v1,
      'x',
      joined,
      'freezer',
      {
        make: () => expect.unreachable(),
        record: () => expect.unreachable(),
      },
      files,
    );
    expect(again).toBe(joined);
    expect(order.length).toBe(3);
  });

  const late = (files: FakeCgroupfs) => ({
    make: async (directory: string) => void files.group(directory, { 'cgroup.procs': '' }),
    record: () => {},
  });

  test('gets nobody whose number was a process of the container’s a moment ago', async () => {
    const files = new FakeCgroupfs()
      .group('/f')
      .group('/p/x', { 'cgroup.procs': '5\n6\n' })
      .text('/proc/5/cgroup', '3:pids:/x\n')
      .text('/proc/6/cgroup', '3:pids:/another\n');
    files.onWrite = (_, value) => {
      files.group('/p/x', { 'cgroup.procs': '5\n' });
      return `${value}\n`;
    };
    await joinController(v1, 'x', groups, 'freezer', late(files), files);
    expect(files.writes).toEqual(['/f/x/cgroup.procs 5']);
  });

  test('is given up when processes are made faster than they are put in', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const files = new FakeCgroupfs().group('/f').group('/p/x', { 'cgroup.procs': '5\n' });
    files.onWrite = (_, value) => {
      const next = Number(value) + 1;
      files.group('/p/x', { 'cgroup.procs': `${next}\n` }).text(`/proc/${next}/cgroup`, '3:pids:/x\n');
      vi.setSystemTime(Date.now() + 100);
      return `${value}\n`;
    };
    files.text('/proc/5/cgroup', '3:pids:/x\n');
    await expect(joinController(v1, 'x', groups, 'freezer', late(files), files)).rejects.toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      message: expect.stringMatching(/within 10 seconds.*limit its pids/),
    });
    expect(files.writes.length).toBeGreaterThan(90);
  });

  test('is told to be missing, with the reason', async () => {
    const host = { ...v1, controllers: { pids: '/p' }, missing: { freezer: 'it was left out' } };
    const never = { make: () => expect.unreachable(), record: () => expect.unreachable() };
    for (const of of [groups, []])
      await expect(joinController(host, 'x', of, 'freezer', never, new FakeCgroupfs())).rejects.toMatchObject({
        code: 'HAKO_ERR_HOST_UNSUPPORTED',
        message: expect.stringContaining('it was left out'),
      });
  });
});

describe('the freezer', () => {
  test('of v2 is frozen when its events say so, and freezing as long as they do not', async () => {
    const files = new FakeCgroupfs().group('/u/x', {
      'cgroup.freeze': '0\n',
      'cgroup.events': 'populated 1\nfrozen 0\n',
    });
    expect(freezerState(unified, files)).toBe('thawed');
    let writes = 0;
    files.onWrite = (_, value) => {
      if (++writes === 3) files.groups.get('/u/x')?.set('cgroup.events', 'populated 1\nfrozen 1\n');
      return value;
    };
    const frozen = freezeGroups(unified, {}, files);
    expect(freezerState(unified, files)).toBe('freezing');
    await frozen;
    expect([writes, freezerState(unified, files)]).toEqual([3, 'frozen']);
  });

  test('is written to no more when the caller gives up', async () => {
    const group = [{ version: 1 as const, directory: '/f/x', controllers: ['freezer'] }];
    const files = new FakeCgroupfs().group('/f/x', { 'freezer.state': 'THAWED\n' });
    files.onWrite = (_, value) => (value === 'FROZEN' ? 'FREEZING' : value);
    const reason = new Error('enough');
    const aborter = new AbortController();
    const frozen = freezeGroups(group, { signal: aborter.signal }, files);
    setTimeout(() => aborter.abort(reason), 20);
    await expect(frozen).rejects.toBe(reason);
    await thawGroups(group, {}, files);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(freezerState(group, files)).toBe('thawed');
  });

  test('is not there for a container without a group, and gone with one that has ended', async () => {
    await expect(thawGroups([], {}, new FakeCgroupfs())).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
    await expect(freezeGroups(unified, {}, new FakeCgroupfs())).rejects.toMatchObject({
      code: 'HAKO_ERR_CONTAINER_NOT_RUNNING',
    });
    expect(freezerState(unified, new FakeCgroupfs())).toBe('thawed');
  });
});

describe('pressure', () => {
  const line = (kind: string, total: number) => `${kind} avg10=1.50 avg60=0.25 avg300=0.00 total=${total}\n`;
  const share = (total: number) => ({ average10: 1.5, average60: 0.25, average300: 0, total });

  test('is the group’s on v2, the machine’s otherwise, and null where there is none', async () => {
    const files = new FakeCgroupfs().text('/proc/pressure/memory', line('some', 7) + line('full', 6));
    expect(await readPressure(unified, new FakeCgroupfs())).toBeNull();
    const machine = { scope: 'host', cpu: null, memory: { some: share(7), full: share(6) }, io: null };
    expect(await readPressure([], files)).toEqual(machine);
    expect(await readPressure(unified, files)).toEqual(machine);
    files.group('/u/x', { 'cpu.pressure': line('some', 5) });
    expect(await readPressure(unified, files)).toEqual({
      scope: 'container',
      cpu: { some: share(5), full: null },
      memory: null,
      io: null,
    });
  });
});

describe('reads that are gathered', () => {
  test('make one trip of all that is asked for in one turn, in lots', async () => {
    const lots: number[] = [];
    const reads = new GatheredReads({
      readKernelFiles: async (paths) => {
        lots.push(paths.length);
        return paths.map((path) => (path.endsWith('7') ? null : path.toUpperCase()));
      },
    });
    const texts = await Promise.all(Array.from({ length: 600 }, (_, index) => reads.read(`f${index}`)));
    expect(lots).toEqual([256, 256, 88]);
    expect([texts[0], texts[7], texts[599]]).toEqual(['F0', null, 'F599']);
    expect(await reads.read('later')).toBe('LATER');
  });

  test('fail together', async () => {
    const reads = new GatheredReads({ readKernelFiles: () => Promise.reject(new Error('no')) });
    const results = await Promise.allSettled([reads.read('a'), reads.read('b')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
