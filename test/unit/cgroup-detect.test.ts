import { describe, expect, test } from 'vitest';
import { findHierarchies } from '../../src/cgroup/hierarchies.ts';
import { openCgroups } from '../../src/cgroup/index.ts';
import { FakeCgroupfs } from '../support/fake-cgroupfs.ts';

const root = {
  'cgroup.controllers': 'cpuset cpu io memory hugetlb pids',
  'cgroup.subtree_control': '',
  'cgroup.procs': '1\n2\n',
};
const v2Mount = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const asRoot = { capabilities: 'CapEff:\t000001ffffffffff\n', map: '         0          0 4294967295\n' };

function machine(selfCgroup: string, mountInfo: string, root = asRoot): FakeCgroupfs {
  const files = new FakeCgroupfs()
    .text('/proc/self/cgroup', selfCgroup)
    .text('/proc/self/mountinfo', mountInfo)
    .text('/proc/self/status', root.capabilities)
    .text('/proc/self/uid_map', root.map);
  // As the kernel does: a child has the controllers that its parent hands down.
  files.newFiles = (path) => {
    const parent = files.groups.get(path.slice(0, path.lastIndexOf('/')));
    const enabled = parent?.get('cgroup.subtree_control') ?? '';
    return {
      'cgroup.controllers': enabled,
      'cgroup.subtree_control': '',
      'cgroup.procs': '',
      'cgroup.type': 'domain',
      ...(enabled.includes('memory') ? { 'memory.max': 'max' } : {}),
    };
  };
  files.onWrite = (path, value) => {
    if (!path.endsWith('/cgroup.subtree_control')) return value;
    const group = files.groups.get(path.slice(0, path.lastIndexOf('/')));
    const isRoot = group?.has('cgroup.type') === false;
    if (!isRoot && (group?.get('cgroup.procs') ?? '').trim() !== '')
      throw Object.assign(new Error('EBUSY: write'), { code: 'EBUSY' });
    return `${group?.get('cgroup.subtree_control') ?? ''} ${value.slice(1)}`.trim();
  };
  return files;
}

describe('hierarchies', () => {
  test('v1, co-mounted controllers, named ones left out', () => {
    const self = '12:cpu,cpuacct:/a\n11:memory:/a/b\n1:name=systemd:/x\n0::/x\n';
    const mounts = `31 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n${v2Mount.replace('/sys/fs/cgroup', '/sys/fs/cgroup/unified')}`;
    expect(findHierarchies(self, mounts)).toEqual([
      {
        version: 1,
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        controllers: ['cpu', 'cpuacct'],
        own: '/sys/fs/cgroup/cpu,cpuacct/a',
      },
      { version: 1, mountPoint: '/sys/fs/cgroup/memory', controllers: ['memory'], own: '/sys/fs/cgroup/memory/a/b' },
      { version: 2, mountPoint: '/sys/fs/cgroup/unified', controllers: [], own: '/sys/fs/cgroup/unified/x' },
    ]);
  });

  test('in a container without a cgroup namespace the mount shows its own group as root', () => {
    expect(
      findHierarchies(
        '4:memory:/docker/1234\n',
        '33 30 0:30 /docker/1234 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
      )[0]?.own,
    ).toBe('/sys/fs/cgroup/memory');
  });

  test('a group outside of what is mounted is taken for the mount itself', () => {
    expect(
      findHierarchies('4:memory:/../../x\n', '33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n')[0]
        ?.own,
    ).toBe('/sys/fs/cgroup/memory');
  });

  test('mount points with spaces are unescaped, and the same hierarchy mounted twice counts once', () => {
    const line = (point: string) => `33 30 0:30 / ${point} rw - cgroup cgroup rw,memory\n`;
    expect(findHierarchies('4:memory:/\n', line('/my\\040cgroups/memory') + line('/other'))).toMatchObject([
      { mountPoint: '/my cgroups/memory' },
    ]);
  });
});

describe('v2', () => {
  test('as root: hako under the real root, which hands every controller down, processes or not', async () => {
    const files = machine('0::/user.slice/session-1.scope\n', v2Mount)
      .group('/sys/fs/cgroup', root)
      .group('/sys/fs/cgroup/user.slice', {
        'cgroup.procs': '',
        'cgroup.type': 'domain',
        'cgroup.controllers': '',
        'cgroup.subtree_control': '',
      })
      .group('/sys/fs/cgroup/user.slice/session-1.scope', {
        'cgroup.procs': '7\n',
        'cgroup.type': 'domain',
        'cgroup.controllers': '',
        'cgroup.subtree_control': '',
      });
    const host = await openCgroups({}, files);
    expect(host).toMatchObject({
      layout: 'v2',
      unifiedMount: '/sys/fs/cgroup',
      unifiedParent: '/sys/fs/cgroup/hako',
      missing: {},
    });
    expect(Object.keys(host.controllers).sort()).toEqual([
      'cpu',
      'cpuset',
      'devices',
      'freezer',
      'io',
      'memory',
      'pids',
    ]);
    expect(host.files).toContain('memory.max');
    expect(files.writes).toContain('/sys/fs/cgroup/hako/cgroup.subtree_control +memory');
  });

  test('in a container: its root holds processes, so no controller is handed down, and the way out is named', async () => {
    const files = machine('0::/\n', v2Mount).group('/sys/fs/cgroup', { ...root, 'cgroup.type': 'domain' });
    const host = await openCgroups({}, files);
    expect(host.unifiedParent).toBe('/sys/fs/cgroup/hako');
    expect(Object.keys(host.controllers).sort()).toEqual(['devices', 'freezer']);
    expect(host.missing['memory']).toMatch(/holds processes.*mkdir \/sys\/fs\/cgroup\/init/);
  });

  test('an ordinary user: under the topmost group that is delegated', async () => {
    const empty = {
      'cgroup.procs': '',
      'cgroup.type': 'domain',
      'cgroup.controllers': 'memory pids',
      'cgroup.subtree_control': 'memory pids',
    };
    const files = machine('0::/user.slice/user@1000.service/app.slice/x.scope\n', v2Mount, {
      capabilities: 'CapEff:\t0000000000000000\n',
      map: asRoot.map,
    })
      .group('/sys/fs/cgroup', { ...root, 'cgroup.subtree_control': 'memory pids' })
      .group('/sys/fs/cgroup/user.slice', empty)
      .group('/sys/fs/cgroup/user.slice/user@1000.service', empty)
      .group('/sys/fs/cgroup/user.slice/user@1000.service/app.slice', empty)
      .group('/sys/fs/cgroup/user.slice/user@1000.service/app.slice/x.scope', { ...empty, 'cgroup.procs': '9\n' });
    for (const file of Object.keys(empty)) {
      files.readonlyPaths.add(`/sys/fs/cgroup/${file}`);
      files.readonlyPaths.add(`/sys/fs/cgroup/user.slice/${file}`);
    }
    const host = await openCgroups({}, files);
    expect(host.unifiedParent).toBe('/sys/fs/cgroup/user.slice/user@1000.service/hako');
    expect(Object.keys(host.controllers).sort()).toEqual(['freezer', 'memory', 'pids']);
    expect(host.missing['devices']).toMatch(/CAP_SYS_ADMIN/);
    expect(host.missing['cpu']).toMatch(/subtree_control may not be written to/);
  });

  test('nothing is delegated: no parent, and how to get one', async () => {
    const files = machine('0::/s\n', v2Mount)
      .group('/sys/fs/cgroup', root)
      .group('/sys/fs/cgroup/s', { 'cgroup.procs': '9\n', 'cgroup.type': 'domain' });
    files.readonlyPaths.add('/sys/fs/cgroup');
    const host = await openCgroups({}, files);
    expect(host).toMatchObject({ unifiedParent: null, controllers: {} });
    expect(host.missing['memory']).toMatch(/Delegate=yes/);
    expect(host.missing['freezer']).toMatch(/Delegate=yes/);
  });

  test('a parent of the caller is made, with what it can be handed', async () => {
    const files = machine('0::/\n', v2Mount).group('/sys/fs/cgroup', root);
    const host = await openCgroups({ parent: '/services/shop' }, files);
    expect(host.unifiedParent).toBe('/sys/fs/cgroup/services/shop');
    expect(host.controllers['memory']).toBe('/sys/fs/cgroup/services/shop');
  });

  test.each(['services', '/', '/a/../b', '/a//b', '/./a', '/a\0b'])('refuses the parent %j', async (parent) => {
    await expect(openCgroups({ parent }, machine('0::/\n', v2Mount))).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
  });
});

describe('v1 and none', () => {
  const v1Mounts =
    '33 30 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n34 30 0:31 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n35 30 0:32 / /cg/blkio rw - cgroup cgroup rw,blkio\n';

  test('a group under the own one in each hierarchy; a cpuset is filled, and hands its CPUs on', async () => {
    const files = machine('4:memory:/s\n3:cpuset:/\n2:blkio:/\n', v1Mounts)
      .group('/cg/memory')
      .group('/cg/memory/s')
      .group('/cg/cpuset', { 'cpuset.cpus': '0-1', 'cpuset.mems': '0' })
      .group('/cg/blkio');
    files.newFiles = (path) => ({
      'cgroup.procs': '',
      'cgroup.clone_children': '0',
      ...(path.includes('cpuset') ? { 'cpuset.cpus': '', 'cpuset.mems': '' } : {}),
    });
    const host = await openCgroups({}, files);
    expect(host).toMatchObject({
      layout: 'v1',
      controllers: { memory: '/cg/memory/s/hako', cpuset: '/cg/cpuset/hako', blkio: '/cg/blkio/hako' },
      unifiedParent: null,
    });
    expect(files.writes).toEqual([
      '/cg/cpuset/hako/cpuset.cpus 0-1',
      '/cg/cpuset/hako/cpuset.mems 0',
      '/cg/cpuset/hako/cgroup.clone_children 1',
    ]);
    expect(Object.keys(host.missing).sort()).toEqual(['cpu', 'devices', 'freezer', 'pids']);
  });

  test('a hierarchy that may not be written to is missing with the reason', async () => {
    const files = machine('4:memory:/\n', '33 30 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n').group('/cg/memory');
    files.readonlyPaths.add('/cg/memory');
    const host = await openCgroups({}, files);
    expect(host.controllers).toEqual({});
    expect(host.missing['memory']).toMatch(/\/cg\/memory\/hako cannot be made.*EACCES/);
  });

  test('the devices controller cannot be used by root of a user namespace, who could make groups', async () => {
    const mounts = '33 30 0:30 / /cg/devices rw - cgroup cgroup rw,devices\n';
    const groups = (root: typeof asRoot) => {
      const files = machine('4:devices:/\n', mounts, root).group('/cg/devices');
      files.newFiles = () => ({ 'cgroup.procs': '' });
      return openCgroups({}, files);
    };
    expect((await groups(asRoot)).controllers).toEqual({ devices: '/cg/devices/hako' });
    const inside = await groups({ ...asRoot, map: '0 0 1\n' });
    expect(inside.controllers).toEqual({});
    expect(inside.missing['devices']).toMatch(/first user namespace/);
  });

  test('no hierarchy at all', async () => {
    const host = await openCgroups({}, machine('', ''));
    expect(host).toMatchObject({ layout: 'none', controllers: {} });
    expect(host.missing['memory']).toMatch(/mount one/);
  });
});
