import { normal } from 'libhako/plugins/privilege/normal';
import { privileged } from 'libhako/plugins/privilege/privileged';
import { rootless } from 'libhako/plugins/privilege/rootless';
import { describe, expect, test } from 'vitest';
import { checkImageVolumes } from '../../src/container/spec/index.ts';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import { encodeStart, type SetupOperation } from '../../src/native/protocol.ts';
import { ordinaryHost, testHost } from '../../src/plugins/conformance/privilege-hosts.ts';
import { at, id, start, targets } from '../support/spec-context.ts';

describe('the order of a start', () => {
  test('a normal container', async () => {
    const { setup } = await start({
      tty: true,
      mounts: [
        { type: 'bind', source: '/b', target: '/data/deep' },
        { type: 'tmpfs', target: '/data' },
      ],
      sysctls: { 'net.ipv4.ip_forward': '1' },
      readonlyRoot: true,
    });
    expect(
      setup.map((operation) => [operation.kind, 'path' in operation ? operation.path : ''].join(' ').trim()),
    ).toEqual([
      'propagation',
      'mount',
      'mount /proc',
      'mount /sys',
      'mount /sys/fs/cgroup',
      'mount /dev',
      'mknod /dev/null',
      'mknod /dev/zero',
      'mknod /dev/full',
      'mknod /dev/random',
      'mknod /dev/urandom',
      'mknod /dev/tty',
      'symlink /dev/fd',
      'symlink /dev/stdin',
      'symlink /dev/stdout',
      'symlink /dev/stderr',
      'symlink /dev/core',
      'symlink /dev/ptmx',
      'mount /dev/pts',
      'mount /dev/shm',
      'mount /dev/mqueue',
      'bind /etc/hostname',
      'bind /etc/hosts',
      'bind /etc/resolv.conf',
      'mount /data',
      'bind /data/deep',
      'pivot',
      'console',
      'loopback',
      'sysctl',
      'sysctl',
      'sysctl',
      'readonly /proc/bus',
      'readonly /proc/fs',
      'readonly /proc/irq',
      'readonly /proc/sys',
      'readonly /proc/sysrq-trigger',
      'mask /proc/acpi',
      'mask /proc/asound',
      'mask /proc/interrupts',
      'mask /proc/kcore',
      'mask /proc/keys',
      'mask /proc/latency_stats',
      'mask /proc/sched_debug',
      'mask /proc/scsi',
      'mask /proc/timer_list',
      'mask /proc/timer_stats',
      'mask /sys/devices/virtual/powercap',
      'mask /sys/firmware',
      'mask /sys/devices/system/cpu/cpu0/thermal_throttle',
      'root-attributes',
    ]);
  });

  test('every request can be said in the protocol', async () => {
    for (const plugin of [normal, privileged, rootless])
      expect(encodeStart(await start({}, {}, plugin)).length).toBeGreaterThan(500);
    expect(encodeStart(await start({}, {}, rootless, ordinaryHost())).length).toBeGreaterThan(500);
  });
});

describe('filesystems', () => {
  test('the layers of an overlay are given one by one, unescaped; attributes are not options', async () => {
    expect((await start()).setup[1]).toEqual({
      kind: 'mount',
      type: 'overlay',
      source: 'overlay',
      path: '',
      attributes: 1n,
      target: { create: 'directory', noFollow: true },
      options: [
        ['lowerdir+', '/l/one'],
        ['lowerdir+', '/l/two:x'],
        ['upperdir', '/u'],
        ['workdir', '/w'],
        ['userxattr', ''],
      ],
    });
  });

  test('/proc, /sys and /dev must be ordinary directories of the image', async () => {
    const request = await start();
    for (const path of ['/proc', '/sys', '/dev', '/sys/fs/cgroup', '/dev/pts', '/dev/shm'])
      expect(at(request, path)).toMatchObject([{ target: { noFollow: true } }]);
  });

  test("a user namespace gets the host's /proc and /sys where it may not have its own, read-only where it must be", async () => {
    const shared = await start({ namespaces: { pid: 'host', network: 'host' } }, {}, rootless, ordinaryHost());
    expect(at(shared, '/proc')).toMatchObject([{ kind: 'bind', hostPath: '/proc', recursive: true }]);
    expect(at(shared, '/sys')).toMatchObject([
      { kind: 'bind', hostPath: '/sys', recursive: true, set: 1n | 2n | 4n | 8n },
    ]);
    expect(shared.setup.some(({ kind }) => kind === 'loopback')).toBe(false);
    expect(at(await start({ namespaces: { pid: 'host' } }), '/proc')).toMatchObject([{ kind: 'mount', type: 'proc' }]);
  });

  test("/sys/fs/cgroup is read-only, also with the host's cgroup namespace (CVE-2023-25809)", async () => {
    const rdonly = (operation: SetupOperation | undefined): boolean =>
      operation !== undefined &&
      (('attributes' in operation ? operation.attributes : 'set' in operation ? operation.set : 0n) & 1n) === 1n;
    for (const plugin of [normal, rootless]) {
      expect(rdonly(at(await start({}, {}, plugin), '/sys/fs/cgroup')[0])).toBe(true);
      expect(rdonly(at(await start({ namespaces: { cgroup: 'host' } }, {}, plugin), '/sys/fs/cgroup')[0])).toBe(true);
    }
    expect(rdonly(at(await start({}, {}, privileged), '/sys/fs/cgroup')[0])).toBe(false);
  });

  test('v1: only the hierarchies that the container is in, shared ones by one directory and links', async () => {
    const controllers = {
      memory: '/cg/memory/hako',
      cpu: '/cg/cpu,cpuacct/hako',
      cpuacct: '/cg/cpu,cpuacct/hako',
      pids: '/cg/pids/hako',
      blkio: '/cg/blkio/hako',
    };
    const request = await start(
      {},
      {},
      normal,
      testHost({
        cgroup: { layout: 'v1', controllers, files: [], unifiedMount: null, unifiedParent: null, missing: {} },
      }),
    );
    expect(targets(request.setup).filter((path) => path.startsWith('/sys/fs'))).toEqual([
      '/sys/fs/cgroup',
      '/sys/fs/cgroup/pids',
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/cpu,cpuacct',
      '/sys/fs/cgroup/cpu',
      '/sys/fs/cgroup/cpuacct',
      '/sys/fs/cgroup',
      '/sys/fs/cgroup/pids',
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/cpu,cpuacct',
    ]);
    expect(at(request, '/sys/fs/cgroup/cpu,cpuacct')[1]).toMatchObject({
      kind: 'bind',
      hostPath: `/cg/cpu,cpuacct/hako/${id}`,
      set: 1n | 2n | 4n | 8n,
      target: { create: null, noFollow: true },
    });
  });

  test('gid 5 owns terminals only where it is mapped', async () => {
    const options = async (host: HostInfo) =>
      at(await start({}, {}, rootless, host), '/dev/pts').flatMap((operation) =>
        operation.kind === 'mount' ? operation.options.map(([key]) => key) : [],
      );
    expect(await options(ordinaryHost())).toContain('gid');
    expect(
      await options(
        ordinaryHost({
          idRanges: { supported: false, reason: 'there are none', remedy: 'install the package uidmap' },
        }),
      ),
    ).not.toContain('gid');
  });

  test('a device that may not be made inside is bound', async () => {
    const settings = { devices: ['/dev/zero:/dev/a:rwm', '/dev/zero:/dev/b:r'] };
    const request = await start(settings);
    expect(at(request, '/dev/a')).toMatchObject([{ kind: 'mknod', major: 1, minor: 5, mode: 0o020666 }]);
    expect(at(request, '/dev/b')).toMatchObject([{ kind: 'bind', hostPath: '/dev/zero', device: true }]);
    const whole = { devices: settings.devices.slice(0, 1) };
    expect(at(await start(whole, {}, rootless, ordinaryHost()), '/dev/a')).toMatchObject([
      { kind: 'bind', device: true },
    ]);
  });
});

describe("the caller's mounts", () => {
  test.each([
    '/',
    '/proc',
    '/proc/sys',
    '/sys',
    '/sys/fs/cgroup',
    '/dev',
    '/dev/null',
    '/dev/pts',
    '/dev/pts/0',
    '/dev/console',
    '/dev/ptmx',
    '/dev/fd',
  ])('cannot lie on %s', async (target) => {
    await expect(start({ mounts: [{ type: 'tmpfs', target }] })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
      path: target,
    });
  });

  test('cannot have one target twice, written differently', async () => {
    await expect(
      start({
        mounts: [
          { type: 'tmpfs', target: '/a' },
          { type: 'tmpfs', target: '/a/./' },
        ],
      }),
    ).rejects.toThrow(/Two mounts have the target \/a/);
  });

  test('may take the place of /dev/shm and of the files of /etc', async () => {
    const request = await start({
      mounts: [
        { type: 'bind', source: '/s', target: '/dev/shm' },
        { type: 'bind', source: '/h', target: '/etc/hosts', readonly: true },
      ],
    });
    expect(at(request, '/dev/shm')).toMatchObject([{ kind: 'bind', hostPath: '/s' }]);
    expect(at(request, '/etc/hosts')).toMatchObject([{ kind: 'bind', hostPath: '/h', set: 1n }]);
  });

  test('are private unless they ask for what the host mounts later', async () => {
    const propagation = async (kind: 'rprivate' | 'rslave') => {
      const request = await start({ mounts: [{ type: 'bind', source: '/s', target: '/s', propagation: kind }] });
      return [request.setup[0], at(request, '/s')[0]];
    };
    expect(await propagation('rprivate')).toMatchObject([{ propagation: 0x44000n }, { propagation: 0x44000n }]);
    expect(await propagation('rslave')).toMatchObject([{ propagation: 0x84000n }, { propagation: 0x84000n }]);
  });

  test.each([
    '/proc',
    '/proc/self',
    '/sys',
    '/dev',
    '/dev/null',
    '/',
    'relative',
    '/../../host-canary',
    '/a/../../b',
    '/proc/../proc',
    '//proc//',
  ])('an image that declares the volume %s is not run', (volume) => {
    expect(() => checkImageVolumes([volume])).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_IMAGE' }));
  });

  test('an ordinary volume is nothing to refuse', () => {
    checkImageVolumes(['/var/lib/data', '/processes', '/system', '/developer', '/data/']);
  });
});

describe('sysctls', () => {
  test.each([
    'kernel.core_pattern',
    'kernel.hostname',
    'vm.swappiness',
    'fs.file-max',
    'net',
    'net..ipv4',
    'net/../kernel/core_pattern',
    'kernel/../net',
    '',
    '.net.ipv4',
    'net.ipv4.ip forward',
    'kernel.shmmax/../core_pattern',
  ])('%j is not of a namespace', async (name) => {
    await expect(start({ sysctls: { [name]: '1' } })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  test('those of a namespace that the container shares with the host are refused', async () => {
    await expect(start({ sysctls: { 'net.ipv4.ip_forward': '1' }, namespaces: { network: 'host' } })).rejects.toThrow(
      /whose network the container shares/,
    );
    await expect(start({ sysctls: { 'kernel.shmmax': '1' }, namespaces: { ipc: 'host' } })).rejects.toThrow(/IPC/);
  });

  test('those of its own are set, with dots in names by slashes', async () => {
    const request = await start({
      sysctls: { 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '2', 'net/ipv4/conf/eth0.1/forwarding': '3' },
    });
    const set = request.setup.flatMap((operation) =>
      operation.kind === 'sysctl' ? [[operation.name, operation.value]] : [],
    );
    expect(set).toEqual([
      ['net.ipv4.ip_unprivileged_port_start', '0'],
      ['net.ipv4.ping_group_range', '0 2147483647'],
      ['kernel.shmmax', '1'],
      ['fs.mqueue.msg_max', '2'],
      ['net/ipv4/conf/eth0.1/forwarding', '3'],
    ]);
  });

  test("any user may serve low ports in a network of the container's own, unless that is said otherwise; nothing is set in the host's", async () => {
    const names = async (options: object) =>
      (await start(options)).setup.flatMap((each) => (each.kind === 'sysctl' ? [`${each.name}=${each.value}`] : []));
    expect(await names({ sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } })).toContain(
      'net.ipv4.ip_unprivileged_port_start=80',
    );
    expect(await names({ namespaces: { network: 'host' } })).toEqual([]);
  });
});
