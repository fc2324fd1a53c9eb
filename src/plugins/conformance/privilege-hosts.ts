import { allCapabilities } from '../../base/capabilities.ts';
import type { HostInfo } from '../../contracts/host-info.ts';

const yes = { supported: true } as const;

/** A host that can do everything, as root on v2, unless said otherwise. */
export function testHost(more: Partial<HostInfo> = {}): HostInfo {
  return {
    kernel: '6.18.0',
    architecture: 'x64',
    uid: 0,
    gid: 0,
    capabilities: allCapabilities,
    cgroup: {
      layout: 'v2',
      controllers: Object.fromEntries(
        ['cpu', 'cpuset', 'io', 'memory', 'pids', 'devices', 'freezer'].map((name) => [name, '/sys/fs/cgroup/hako']),
      ),
      files: ['memory.max', 'memory.swap.max', 'cpu.max', 'io.max', 'io.weight', 'pids.max'],
      unifiedMount: '/sys/fs/cgroup',
      unifiedParent: '/sys/fs/cgroup/hako',
      missing: {},
    },
    inUserNamespace: false,
    userNamespaces: yes,
    rootlessOverlay: yes,
    overlay: yes,
    seccomp: yes,
    apparmor: { supported: false, reason: 'the kernel does not have AppArmor' },
    timeNamespaces: yes,
    cgroupNamespaces: yes,
    raiseLimits: yes,
    openFilesLimit: 1_048_576,
    oomScoreAdj: 0,
    idRanges: {
      supported: true,
      method: { kind: 'direct' },
      uid: [{ start: 1_879_048_192, size: 65_536 }],
      gid: [{ start: 1_879_048_192, size: 65_536 }],
    },
    sideChannels: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
    ...more,
  };
}

export const noCgroups: HostInfo['cgroup'] = {
  layout: 'none',
  controllers: {},
  files: [],
  unifiedMount: null,
  unifiedParent: null,
  missing: { devices: 'it is not delegated', pids: 'it is not delegated' },
};

/** An ordinary user with ranges in /etc/subuid. */
export function ordinaryHost(more: Partial<HostInfo> = {}): HostInfo {
  return testHost({
    uid: 1000,
    gid: 1001,
    capabilities: [],
    cgroup: noCgroups,
    idRanges: {
      supported: true,
      method: { kind: 'helpers', newuidmap: '/usr/bin/newuidmap', newgidmap: '/usr/bin/newgidmap' },
      uid: [{ start: 100_000, size: 65_536 }],
      gid: [{ start: 200_000, size: 65_536 }],
    },
    ...more,
  });
}
