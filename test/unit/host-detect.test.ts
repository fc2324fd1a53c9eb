import { describe, expect, test } from 'vitest';
import type { KernelProbe } from '../../src/contracts/native-binding.ts';
import { detectHost, type HostIdentity } from '../../src/host/detect.ts';
import { listHostDevices, statDevice } from '../../src/host/devices.ts';
import type { HostFiles } from '../../src/host/files.ts';
import { detectIdRanges, rootRange } from '../../src/host/id-ranges.ts';
import { noCgroups } from '../../src/plugins/conformance/privilege-hosts.ts';

const ok = { ok: true } as const;
const no = (errno: string, reason: string) => ({ ok: false, errno, reason }) as const;
const probe: KernelProbe = {
  release: '6.1.0',
  clone3: ok,
  openat2: ok,
  mountApi: ok,
  userNamespace: ok,
  overlayInUserNamespace: ok,
  seccompFilter: ok,
  timeNamespace: ok,
  cgroupNamespace: ok,
  landlockVersion: 4,
  pidfd: ok,
};
const root: HostIdentity = { uid: 0, gid: 0, name: 'root', architecture: 'x64' };
const user: HostIdentity = { uid: 1000, gid: 1000, name: 'ann', architecture: 'arm64' };
const wholeMap = '         0          0 4294967295\n';

function files(contents: Record<string, string>, programs: readonly string[] = []): HostFiles {
  return {
    read: (path) => contents[path] ?? null,
    list: (path) => [
      ...new Set(
        Object.keys(contents)
          .filter((each) => each.startsWith(`${path}/`))
          .map((each) => each.slice(path.length + 1).split('/')[0] ?? ''),
      ),
    ],
    exists: (path) => Object.keys(contents).some((each) => each === path || each.startsWith(`${path}/`)),
    findProgram: (name) => (programs.includes(name) ? `/usr/bin/${name}` : null),
  };
}

const usual = {
  '/proc/self/status': 'CapInh:\t0000000000000000\nCapEff:\t000001fffeffffff\nSeccomp:\t0\n',
  '/proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 20000                files     \n',
  '/proc/filesystems': 'nodev\tsysfs\nnodev\toverlay\n\text4\n',
  '/proc/self/uid_map': wholeMap,
  '/proc/self/gid_map': wholeMap,
  '/proc/self/ns/time': '',
  '/proc/self/ns/cgroup': '',
};

describe('what the host can do', () => {
  test('root on a kernel that has everything', () => {
    const host = detectHost(
      probe,
      noCgroups,
      files({
        ...usual,
        '/sys/devices/system/cpu/cpu0/thermal_throttle/x': '',
        '/sys/devices/system/cpu/cpu1/topology/x': '',
      }),
      root,
    );
    expect(host).toMatchObject({
      kernel: '6.1.0',
      architecture: 'x64',
      overlay: { supported: true },
      userNamespaces: { supported: true },
      openFilesLimit: 20_000,
      oomScoreAdj: 0,
      sideChannels: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
    });
    expect(host.capabilities).toContain('CAP_SYS_ADMIN');
    expect(host.capabilities).not.toContain('CAP_SYS_RESOURCE');
    expect(host.raiseLimits).toMatchObject({
      supported: false,
      reason: expect.stringMatching(/CAP_SYS_RESOURCE.*LimitNOFILE/),
    });
    expect(host.apparmor).toMatchObject({ supported: false, reason: expect.stringMatching(/apparmor=1/) });
  });

  test('a probe that failed is told as it was, in a sentence that goes on', () => {
    const reason =
      'A user namespace cannot be made: clone: Operation not permitted. To allow them, run `sysctl -w kernel.unprivileged_userns_clone=1`.';
    const host = detectHost({ ...probe, userNamespace: no('EPERM', reason) }, noCgroups, files(usual), user);
    expect(host.userNamespaces).toEqual({ supported: false, reason: reason.slice(0, -1) });
  });

  test.each([
    [{ ...usual, '/proc/filesystems': 'nodev\tproc\n' }, root, /CONFIG_OVERLAY_FS/],
    [
      {
        ...usual,
        '/proc/filesystems': '',
        '/proc/sys/kernel/osrelease': '6.1.0\n',
        '/lib/modules/6.1.0/modules.dep': 'kernel/fs/overlayfs/overlay.ko:\n',
      },
      root,
      /modprobe overlay/,
    ],
    [{ ...usual, '/proc/self/status': 'CapEff:\t0000000000000000\n' }, user, /CAP_SYS_ADMIN/],
  ])('why overlay cannot be mounted %#', (contents, identity, reason) => {
    expect(detectHost(probe, noCgroups, files(contents), identity).overlay).toMatchObject({
      supported: false,
      reason: expect.stringMatching(reason),
    });
  });

  test('AppArmor that is on', () => {
    const on = { ...usual, '/sys/module/apparmor/parameters/enabled': 'Y\n', '/proc/self/attr/apparmor/exec': '' };
    expect(detectHost(probe, noCgroups, files(on), root).apparmor).toEqual({ supported: true });
  });

  test('namespaces that need privilege are there for an ordinary user, inside of a user namespace', () => {
    const denied = {
      ...probe,
      timeNamespace: no('EPERM', 'A time namespace cannot be made.'),
      cgroupNamespace: no('EPERM', 'no.'),
    };
    const asUser = detectHost(
      denied,
      noCgroups,
      files({ ...usual, '/proc/self/status': 'CapEff:\t0000000000000000\n' }),
      user,
    );
    expect([asUser.timeNamespaces, asUser.cgroupNamespaces]).toEqual([{ supported: true }, { supported: true }]);
    const asRoot = detectHost(denied, noCgroups, files(usual), root);
    expect(asRoot.timeNamespaces).toEqual({ supported: false, reason: 'A time namespace cannot be made' });
    const { '/proc/self/ns/time': _, ...without } = usual;
    expect(detectHost(probe, noCgroups, files(without), root).timeNamespaces).toMatchObject({
      supported: false,
      reason: expect.stringMatching(/CONFIG_TIME_NS/),
    });
  });

  test.each([
    [{ ...probe, clone3: no('ENOSYS', 'clone3(2) cannot be used.') }, root, /clone3/],
    [{ ...probe, mountApi: no('ENOSYS', 'no.') }, root, /mount API.*5\.12/],
    [probe, { ...root, architecture: 's390x' }, /s390x/],
  ])('where hako cannot work at all %#', (answers, identity, sentence) => {
    expect(() => detectHost(answers, noCgroups, files(usual), identity)).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_HOST_UNSUPPORTED', message: expect.stringMatching(sentence) }),
    );
  });
});

describe('ids that may be mapped', () => {
  const both = ['newuidmap', 'newgidmap'];
  const maps = { '/proc/self/uid_map': wholeMap, '/proc/self/gid_map': wholeMap };
  const granted = { '/etc/subuid': 'ann:100000:65536', '/etc/subgid': 'ann:200000:65536' };

  test("an ordinary user's ranges, by name and by number, without what is malformed", () => {
    const ranges = detectIdRanges(
      user,
      files(
        {
          '/etc/subuid':
            '# comment\nbob:1:2\nann:100000:65536\n1000:300000:1000\nann:x:1\nann:5\nann:0:10\nann:4294967290:100\nann:165000:1000\nann:999:5\n',
          '/etc/subgid': 'ann:200000:65536',
          ...maps,
        },
        both,
      ),
    );
    expect(ranges).toEqual({
      supported: true,
      method: { kind: 'helpers', newuidmap: '/usr/bin/newuidmap', newgidmap: '/usr/bin/newgidmap' },
      uid: [
        { start: 100_000, size: 65_536 },
        { start: 300_000, size: 1000 },
      ],
      gid: [{ start: 200_000, size: 65_536 }],
    });
  });

  test.each([
    [{}, [], /newuidmap is not installed.*uidmap/],
    [{}, ['newuidmap'], /newgidmap is not installed/],
    [{}, both, /\/etc\/subuid grants no ids to ann.*--add-subuids 100000-165535 ann/],
    [{ '/etc/subuid': 'ann:100000:65536' }, both, /\/etc\/subgid grants no ids/],
    [{ ...granted, ...maps, '/proc/self/status': 'NoNewPrivs:\t1\n' }, both, /no_new_privs.*NoNewPrivileges=no/],
    [{ ...granted, ...maps, '/proc/self/gid_map': '0 0 65536\n' }, both, /does not have the ids 100000–165535/],
  ])('why there are none %#', (contents, programs, reason) => {
    const ranges = detectIdRanges(user, files(contents, programs));
    expect(ranges.supported ? '' : `${ranges.reason}; ${ranges.remedy}`).toMatch(reason);
  });

  test('root: its own range, else one that nobody has, else those of its user namespace', () => {
    const maps = { '/proc/self/uid_map': wholeMap, '/proc/self/gid_map': wholeMap };
    expect(detectIdRanges(root, files(maps))).toEqual({
      supported: true,
      method: { kind: 'direct' },
      uid: [rootRange],
      gid: [rootRange],
    });
    const granted = { ...maps, '/etc/subuid': 'root:500000:65536', '/etc/subgid': 'root:600000:65536' };
    expect(detectIdRanges(root, files(granted))).toMatchObject({
      uid: [{ start: 500_000, size: 65_536 }],
      gid: [{ start: 600_000, size: 65_536 }],
    });
    const inside = (map: string) =>
      detectIdRanges(root, files({ '/proc/self/uid_map': map, '/proc/self/gid_map': map }));
    expect(inside('0 100000 65536\n')).toMatchObject({
      uid: [{ start: 0, size: 65_536 }],
      gid: [{ start: 0, size: 65_536 }],
    });
    expect(inside('0 1000 1\n1 100000 65535\n')).toMatchObject({
      uid: [
        { start: 0, size: 1 },
        { start: 1, size: 65_535 },
      ],
    });
    expect(inside('0 1000 1\n')).toMatchObject({ supported: false, reason: expect.stringMatching(/has one id/) });
  });
});

describe('devices of the host', () => {
  test('are looked up with their numbers', async () => {
    expect(await statDevice('/dev/null', '/dev/nothing', 'r')).toMatchObject({
      path: '/dev/nothing',
      hostPath: '/dev/null',
      type: 'c',
      major: 1,
      minor: 3,
      mode: 0o666,
      access: 'r',
    });
    expect(listHostDevices()).toContainEqual(
      expect.objectContaining({ path: '/dev/zero', major: 1, minor: 5, type: 'c' }),
    );
    expect(listHostDevices().filter(({ path }) => path.startsWith('/dev/pts'))).toEqual([]);
  });

  test.each(['/etc/passwd', '/dev', '/dev/absent'])('%s is none', async (path) => {
    await expect(statDevice(path, path, 'r')).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION', path });
  });
});
