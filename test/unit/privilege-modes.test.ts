import { describe, expect, test } from 'vitest';
import { allCapabilities, parseCapability } from '../../src/base/capabilities.ts';
import { newContainerId } from '../../src/base/ids.ts';
import { parseContainerOptions } from '../../src/container/options.ts';
import { isolationRequest } from '../../src/container/spec/index.ts';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import type { IsolationRequest, PrivilegeMode } from '../../src/contracts/privilege-mode.ts';
import { contextOn } from '../../src/plugins/conformance/context.ts';
import { ordinaryHost, testHost } from '../../src/plugins/conformance/privilege-hosts.ts';
import { createMode, modes } from '../support/modes.ts';

async function mode(id: keyof typeof modes, host: HostInfo): Promise<PrivilegeMode> {
  return createMode(modes[id], { ...contextOn('/nonexistent'), host });
}

async function plan(id: keyof typeof modes, host: HostInfo, more: Partial<IsolationRequest> = {}) {
  return (await mode(id, host)).plan({
    ...(await isolationRequest(parseContainerOptions({}), host, () => newContainerId())),
    ...more,
  });
}

describe('normal', () => {
  test('lets no device be made, nor one of the image be opened, where nothing could hold it to the rules', async () => {
    const host = testHost({ cgroup: { ...testHost().cgroup, controllers: {}, missing: { devices: 'not mounted' } } });
    const { capabilities, nodev, degraded } = await plan('normal', host);
    expect(nodev).toBe(true);
    for (const set of Object.values(capabilities)) expect(set).not.toContain('CAP_MKNOD');
    expect(degraded).toContainEqual(expect.objectContaining({ what: 'device rules', why: 'not mounted' }));
    await expect(plan('normal', host, { capabilitiesAdd: ['MKNOD'] })).rejects.toThrow(/CAP_MKNOD cannot be given/);
    const device = {
      hostPath: '/dev/x',
      path: '/dev/x',
      type: 'c',
      major: 9,
      minor: 9,
      mode: 0o666,
      uid: 0,
      gid: 0,
    } as const;
    for (const id of ['normal', 'rootless'] as const) {
      await expect(plan(id, host, { devices: [{ ...device, access: 'r' }] })).rejects.toThrow(/\/dev\/x .*'r' only/);
      expect((await plan(id, host, { devices: [{ ...device, access: 'rw' }] })).devices.at(-1)?.path).toBe('/dev/x');
    }
  });

  test('is what the catalogue of defaults says, in full', async () => {
    expect(await plan('normal', testHost())).toEqual({
      namespaces: {
        mount: 'private',
        pid: 'private',
        network: 'private',
        ipc: 'private',
        uts: 'private',
        user: 'host',
        cgroup: 'private',
        time: 'host',
      },
      idMappings: null,
      idmappedRoot: false,
      idEmulation: 'none',
      capabilities: expect.objectContaining({
        bounding: [
          'CAP_AUDIT_WRITE',
          'CAP_CHOWN',
          'CAP_DAC_OVERRIDE',
          'CAP_FOWNER',
          'CAP_FSETID',
          'CAP_KILL',
          'CAP_MKNOD',
          'CAP_NET_BIND_SERVICE',
          'CAP_NET_RAW',
          'CAP_SETFCAP',
          'CAP_SETGID',
          'CAP_SETPCAP',
          'CAP_SETUID',
          'CAP_SYS_CHROOT',
        ],
        inheritable: [],
        ambient: [],
      }),
      noNewPrivileges: true,
      seccomp: 'default',
      apparmorProfile: null,
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/interrupts',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/sched_debug',
        '/proc/scsi',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/sys/devices/virtual/powercap',
        '/sys/firmware',
        '/sys/devices/system/cpu/cpu0/thermal_throttle',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      readonlyRoot: false,
      writableSys: false,
      nodev: false,
      devices: [],
      deviceMethod: 'mknod',
      deviceRules: expect.any(Array),
      degraded: [],
    });
  });

  test('needs CAP_SYS_ADMIN, and says what to do without', async () => {
    expect(modes.normal.probe?.(ordinaryHost())).toMatchObject({
      supported: false,
      reason: expect.stringMatching(/rootless/),
    });
    await expect(plan('normal', ordinaryHost())).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
  });

  test('a capability that this process lacks: an error when asked for, a degradation when a default', async () => {
    const host = testHost({
      capabilities: allCapabilities.filter((name) => name !== 'CAP_AUDIT_WRITE' && name !== 'CAP_SYS_RESOURCE'),
    });
    await expect(plan('normal', host, { capabilitiesAdd: ['sys_resource'] })).rejects.toThrow(
      /CAP_SYS_RESOURCE cannot be given/,
    );
    const { capabilities, degraded } = await plan('normal', host);
    expect(capabilities.bounding).not.toContain('CAP_AUDIT_WRITE');
    expect(degraded).toEqual([
      expect.objectContaining({ what: 'capabilities', why: 'this process does not have CAP_AUDIT_WRITE itself' }),
    ]);
    expect((await plan('normal', host, { capabilitiesDrop: ['audit_write'] })).degraded).toEqual([]);
  });

  test('ALL in add is all that the host has, without what is dropped', async () => {
    expect(
      (await plan('normal', testHost(), { capabilitiesAdd: ['ALL'], capabilitiesDrop: ['SYS_ADMIN'] })).capabilities
        .bounding,
    ).toEqual(allCapabilities.filter((name) => name !== 'CAP_SYS_ADMIN').toSorted());
  });

  test('rules: the defaults, then those of devices, then the caller’s', async () => {
    const device = {
      path: '/dev/fuse',
      hostPath: '/dev/fuse',
      type: 'c',
      major: 10,
      minor: 229,
      mode: 0o666,
      uid: 0,
      gid: 0,
      access: 'rw',
    } as const;
    const { deviceRules } = await plan('normal', testHost(), {
      devices: [device],
      deviceRules: [{ allow: false, type: 'c', major: 1, minor: 3, access: 'w' }],
    });
    expect(deviceRules?.slice(-2)).toEqual([
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
    ]);
  });

  test('a kernel without cgroup namespaces: the host’s by default, an error when asked for', async () => {
    const host = testHost({ cgroupNamespaces: { supported: false, reason: 'the kernel has none' } });
    const planned = await plan('normal', host);
    expect(planned.namespaces.cgroup).toBe('host');
    expect(planned.degraded).toEqual([
      expect.objectContaining({ what: 'cgroup namespace', why: 'the kernel has none' }),
    ]);
    await expect(plan('normal', host, { namespaces: { cgroup: 'private' } })).rejects.toThrow(/the kernel has none/);
  });

  test('a user namespace is for the rootless mode', async () => {
    await expect(plan('normal', testHost(), { namespaces: { user: 'private' } })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
  });
});

describe('privileged', () => {
  test('has what the host has', async () => {
    const host = testHost({ capabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] });
    const planned = await plan('privileged', host);
    expect(planned).toMatchObject({
      capabilities: { bounding: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] },
      seccomp: 'unconfined',
      maskedPaths: [],
      readonlyPaths: [],
      writableSys: true,
      noNewPrivileges: false,
      deviceRules: null,
      degraded: [],
    });
    expect(planned.devices.map(({ path }) => path)).toContain('/dev/null');
  });
});

describe('rootless', () => {
  test('an ordinary user with ranges: root is the user, the others come from the ranges', async () => {
    const host = ordinaryHost({
      idRanges: {
        supported: true,
        method: { kind: 'helpers', newuidmap: '/n', newgidmap: '/g' },
        uid: [
          { start: 100_000, size: 10 },
          { start: 500_000, size: 5 },
        ],
        gid: [{ start: 200_000, size: 20 }],
      },
    });
    const mappings = {
      uid: [
        { containerId: 0, hostId: 1000, size: 1 },
        { containerId: 1, hostId: 100_000, size: 10 },
        { containerId: 11, hostId: 500_000, size: 5 },
      ],
      gid: [
        { containerId: 0, hostId: 1001, size: 1 },
        { containerId: 1, hostId: 200_000, size: 20 },
      ],
      method: { kind: 'helpers', newuidmap: '/n', newgidmap: '/g' },
    };
    expect((await mode('rootless', host)).ownership).toEqual({ kind: 'mapped', idMappings: mappings });
    const planned = await plan('rootless', host);
    expect(planned).toMatchObject({
      idMappings: mappings,
      namespaces: { user: 'private' },
      deviceMethod: 'bind',
      deviceRules: null,
      noNewPrivileges: true,
      degraded: [],
    });
    expect(planned.capabilities.bounding).toHaveLength(14);
  });

  test('tells of devices that are there and cannot be opened', async () => {
    const device = { hostPath: '/dev/h', type: 'c', major: 9, minor: 9, gid: 0, access: 'rwm' } as const;
    const { degraded } = await plan('rootless', testHost(), {
      devices: [
        { ...device, path: '/dev/closed', mode: 0o600, uid: 0 },
        { ...device, path: '/dev/open', mode: 0o666, uid: 0 },
        { ...device, path: '/dev/of-a-group', mode: 0o660, uid: 0 },
      ],
    });
    expect(degraded.map(({ what }) => what)).toEqual(['device /dev/closed']);
    expect(degraded[0]?.why).toMatch(/\/dev\/h belongs to user 0 of the host.*mode 600/);
  });

  test('without ranges: one id, setgroups denied, and that is told', async () => {
    const host = ordinaryHost({
      idRanges: { supported: false, reason: 'newuidmap is not installed', remedy: 'install the package uidmap' },
    });
    expect((await mode('rootless', host)).ownership).toEqual({
      kind: 'single',
      idMappings: {
        uid: [{ containerId: 0, hostId: 1000, size: 1 }],
        gid: [{ containerId: 0, hostId: 1001, size: 1 }],
        method: { kind: 'direct', denySetgroups: true },
      },
    });
    expect((await plan('rootless', host)).degraded).toEqual([
      {
        what: 'more than one user',
        why: expect.stringMatching(
          /^newuidmap is not installed; so the container has one id, .*as if they had been done/,
        ),
        remedy: 'install the package uidmap',
      },
    ]);
  });

  test('root: no id inside is root outside', async () => {
    const { ownership } = await mode('rootless', testHost());
    expect(ownership).toMatchObject({
      kind: 'mapped',
      idMappings: {
        uid: [{ containerId: 0, hostId: 1_879_048_192, size: 65_536 }],
        method: { kind: 'direct', denySetgroups: false },
      },
    });
  });

  test('shares the user namespace of the container whose namespaces it shares', async () => {
    const [one, other] = [newContainerId(), newContainerId()];
    const planned = await plan('rootless', ordinaryHost(), {
      namespaces: { network: { container: one }, ipc: { container: one } },
    });
    expect(planned.namespaces.user).toEqual({ container: one });
    expect(planned.idMappings).toBeNull();
    await expect(
      plan('rootless', ordinaryHost(), { namespaces: { network: { container: one }, ipc: { container: other } } }),
    ).rejects.toThrow(/one other container only/);
    await expect(
      plan('rootless', ordinaryHost(), { namespaces: { network: { container: one }, user: 'private' } }),
    ).rejects.toThrow(/leave namespaces.user out/);
    await expect(plan('rootless', ordinaryHost(), { namespaces: { user: 'host' } })).rejects.toThrow(/'normal'/);
  });

  test('where user namespaces are blocked, the reason is the host’s', async () => {
    const host = ordinaryHost({ userNamespaces: { supported: false, reason: 'user.max_user_namespaces is 0' } });
    expect(modes.rootless.probe?.(host)).toEqual({ supported: false, reason: 'user.max_user_namespaces is 0' });
    await expect(plan('rootless', host)).rejects.toMatchObject({
      code: 'HAKO_ERR_HOST_UNSUPPORTED',
      message: expect.stringMatching(/max_user_namespaces is 0/),
    });
  });
});

test('capabilities by any of their names', () => {
  expect(['chown', 'CHOWN', 'cap_chown', 'CAP_CHOWN'].map(parseCapability)).toEqual([
    'CAP_CHOWN',
    'CAP_CHOWN',
    'CAP_CHOWN',
    'CAP_CHOWN',
  ]);
  expect(() => parseCapability('CAP_ROOT')).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }));
});
