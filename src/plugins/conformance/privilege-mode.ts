import { describe, expect, it } from 'vitest';
import { allCapabilities } from '../../base/capabilities.ts';
import { HakoError } from '../../base/errors.ts';
import { newContainerId } from '../../base/ids.ts';
import type { HostInfo } from '../../contracts/host-info.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';
import type {
  IsolationPlan,
  IsolationRequest,
  PrivilegeMode,
  RequestedDevice,
} from '../../contracts/privilege-mode.ts';
import { contextOn } from './context.ts';
import { noCgroups, ordinaryHost, testHost } from './privilege-hosts.ts';

/** What {@link privilegeModeConformance} is to test. @public */
export interface PrivilegeModeSubject {
  /** Makes the mode, as the plugin's own `create` does. */
  readonly create: (context: PluginContext) => Promise<PrivilegeMode>;
}

/**
 * The conformance kit for privilege modes: a suite for vitest that holds a mode to every sentence of the
 * `PrivilegeMode` contract, on hosts of several kinds. Call it in a test file of yours:
 *
 * ```ts
 * privilegeModeConformance({ create: (context) => myMode.create(context, {}) });
 * ```
 *
 * A mode may refuse a kind of host altogether, with `HAKO_ERR_HOST_UNSUPPORTED`; at least one must suit it.
 *
 * @public
 */
export function privilegeModeConformance(subject: PrivilegeModeSubject): void {
  describe.each(Object.entries(hosts))('on %s', (_, host) => {
    planCases(subject, host);
    requestCases(subject, host);
  });
  it('suits at least one kind of host', async () => {
    const suited = await Promise.all(Object.values(hosts).map((host) => plannable(subject, host)));
    expect(suited.some((mode) => mode !== null)).toBe(true);
  });
}

const hosts = {
  'a host that can do everything': testHost(),
  'a host of an ordinary user': ordinaryHost(),
  'a host of an ordinary user without subordinate ids': ordinaryHost({
    idRanges: { supported: false, reason: 'newuidmap is not installed', remedy: 'install the package uidmap' },
  }),
  'a host without control groups, seccomp and cgroup namespaces': testHost({
    cgroup: noCgroups,
    seccomp: { supported: false, reason: 'the kernel has no filters' },
    cgroupNamespaces: { supported: false, reason: 'the kernel was built without them' },
  }),
  'a host that lacks a capability': testHost({
    capabilities: allCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE' && name !== 'CAP_AUDIT_WRITE'),
  }),
} satisfies Record<string, HostInfo>;

const device: RequestedDevice = {
  path: '/dev/fuse',
  hostPath: '/dev/fuse',
  type: 'c',
  major: 10,
  minor: 229,
  mode: 0o666,
  uid: 0,
  gid: 0,
  access: 'rw',
};

function request(host: HostInfo, more: Partial<IsolationRequest> = {}): IsolationRequest {
  return {
    host,
    namespaces: {},
    capabilitiesAdd: [],
    capabilitiesDrop: [],
    devices: [],
    deviceRules: [],
    hostDevices: [{ ...device, path: '/dev/kvm', hostPath: '/dev/kvm', minor: 232 }],
    noNewPrivileges: undefined,
    seccomp: 'default',
    apparmorProfile: undefined,
    maskedPaths: undefined,
    readonlyPaths: undefined,
    readonlyRoot: false,
    idRange: null,
    ...more,
  };
}

/** The mode, or null where it refuses this host; any other failure is one of the test. */
async function plannable(subject: PrivilegeModeSubject, host: HostInfo): Promise<PrivilegeMode | null> {
  const created = await subject.create({ ...contextOn('/nonexistent'), host });
  const mode = withIds(created);
  try {
    mode.plan(request(host));
    return mode;
  } catch (error) {
    expectHakoError(error, 'HAKO_ERR_HOST_UNSUPPORTED');
    return null;
  }
}

/** A mode whose containers have ids of their own is always given some. */
function withIds(mode: PrivilegeMode): PrivilegeMode {
  const { idRange: pool, ownership } = mode;
  if (pool === undefined) return mode;
  const idRange = { start: pool.start, size: pool.perContainer };
  return {
    ownership,
    plan: (asked) => mode.plan({ ...asked, idRange }),
    [Symbol.asyncDispose]: () => mode[Symbol.asyncDispose](),
  };
}

function planCases(subject: PrivilegeModeSubject, host: HostInfo): void {
  const planned = async (more: Partial<IsolationRequest> = {}): Promise<IsolationPlan | null> => {
    const mode = await plannable(subject, host);
    return mode === null ? null : mode.plan(request(host, more));
  };

  it('plans the same for the same request, changes nothing in it, and says it in JSON', async () => {
    const mode = await plannable(subject, host);
    if (mode === null) return;
    const asked = deepFreeze(request(host, { devices: [device], capabilitiesAdd: ['chown'] }));
    const plan = mode.plan(asked);
    expect(mode.plan(asked)).toEqual(plan);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('gives every container a mount namespace of its own', async () => {
    const plan = await planned();
    if (plan !== null) expect(plan.namespaces.mount).toBe('private');
  });

  it('gives no capability by inheritance, none beyond the bounding set, and none that there is not', async () => {
    const plan = await planned();
    if (plan === null) return;
    const { bounding, effective, permitted, inheritable, ambient } = plan.capabilities;
    expect({ inheritable, ambient }).toEqual({ inheritable: [], ambient: [] });
    expect(permitted.filter((name) => !bounding.includes(name))).toEqual([]);
    expect(effective.filter((name) => !permitted.includes(name))).toEqual([]);
    const available: readonly string[] = plan.namespaces.user === 'host' ? host.capabilities : allCapabilities;
    expect(bounding.filter((name) => !available.includes(name))).toEqual([]);
  });

  it('maps ids exactly when it makes a user namespace', async () => {
    const plan = await planned();
    if (plan === null) return;
    expect(plan.idMappings !== null).toBe(plan.namespaces.user === 'private');
    for (const mappings of [plan.idMappings?.uid ?? [], plan.idMappings?.gid ?? []]) {
      const inside = mappings.toSorted((one, other) => one.containerId - other.containerId);
      inside.forEach((mapping, index) => {
        expect(mapping.size).toBeGreaterThan(0);
        expect(mapping.containerId + mapping.size).toBeLessThanOrEqual(inside[index + 1]?.containerId ?? 2 ** 32);
      });
    }
  });

  it('plans no device rules that the host cannot enforce, and denies by default those that it can', async () => {
    const plan = await planned();
    if (plan === null) return;
    if (host.cgroup.controllers['devices'] === undefined) expect(plan.deviceRules).toBeNull();
    else if (plan.deviceRules !== null)
      expect(plan.deviceRules[0]).toEqual({ allow: false, type: 'a', major: null, minor: null, access: 'rwm' });
  });

  it('tells of each thing that it could not give, and why', async () => {
    const plan = await planned();
    if (plan === null) return;
    for (const { what, why, remedy } of plan.degraded) {
      expect(what).not.toBe('');
      expect(why).toMatch(/\S \S/);
      expect(remedy).toMatch(/\S \S/);
    }
    if (plan.seccomp === 'unconfined' && plan.degraded.some(({ what }) => what === 'seccomp'))
      expect(host.seccomp.supported).toBe(false);
  });
}

function requestCases(subject: PrivilegeModeSubject, host: HostInfo): void {
  it('gives none of the capabilities when all are dropped, and then only what is added', async () => {
    const mode = await plannable(subject, host);
    if (mode === null) return;
    expect(mode.plan(request(host, { capabilitiesDrop: ['ALL'] })).capabilities.bounding).toEqual([]);
    expect(
      mode.plan(request(host, { capabilitiesDrop: ['all'], capabilitiesAdd: ['chown'] })).capabilities.bounding,
    ).toEqual(['CAP_CHOWN']);
    expect(mode.plan(request(host, { capabilitiesDrop: ['CAP_CHOWN'] })).capabilities.bounding).not.toContain(
      'CAP_CHOWN',
    );
  });

  it('carries out what was asked for: devices, paths, no_new_privs, a read-only root, no seccomp', async () => {
    const mode = await plannable(subject, host);
    if (mode === null) return;
    const plan = mode.plan(
      request(host, {
        devices: [device],
        maskedPaths: ['/proc/x'],
        readonlyPaths: [],
        noNewPrivileges: true,
        readonlyRoot: true,
        seccomp: 'unconfined',
      }),
    );
    expect(plan.devices).toContainEqual(device);
    expect(plan).toMatchObject({
      maskedPaths: ['/proc/x'],
      readonlyPaths: [],
      noNewPrivileges: true,
      readonlyRoot: true,
      seccomp: 'unconfined',
    });
    expect(mode.plan(request(host, { noNewPrivileges: false })).noNewPrivileges).toBe(false);
    expect(mode.plan(request(host, { namespaces: { network: 'host', pid: 'private' } })).namespaces).toMatchObject({
      network: 'host',
      pid: 'private',
    });
  });

  it.each<[string, Partial<IsolationRequest>, string]>([
    ['a capability that Linux does not have', { capabilitiesAdd: ['CAP_EVERYTHING'] }, 'HAKO_ERR_INVALID_OPTION'],
    ["the host's mount namespace", { namespaces: { mount: 'host' } }, 'HAKO_ERR_INVALID_OPTION'],
    [
      "another container's mount namespace",
      { namespaces: { mount: { container: newContainerId() } } },
      'HAKO_ERR_INVALID_OPTION',
    ],
    ['an AppArmor profile on a host without AppArmor', { apparmorProfile: 'strict' }, 'HAKO_ERR_HOST_UNSUPPORTED'],
  ])('refuses %s', async (_, more, code) => {
    const mode = await plannable(subject, host);
    if (mode === null) return;
    expectHakoError(
      failureOf(() => mode.plan(request(host, more))),
      code,
    );
  });

  it('refuses what only this host cannot give, when it was asked for', async () => {
    const mode = await plannable(subject, host);
    if (mode === null) return;
    if (!host.cgroupNamespaces.supported)
      expectHakoError(
        failureOf(() => mode.plan(request(host, { namespaces: { cgroup: 'private' } }))),
        'HAKO_ERR_HOST_UNSUPPORTED',
      );
    if (!host.seccomp.supported)
      expectHakoError(
        failureOf(() => mode.plan(request(host, { seccomp: { json: '{}' } }))),
        'HAKO_ERR_HOST_UNSUPPORTED',
      );
    if (host.cgroup.controllers['devices'] === undefined) {
      expectHakoError(
        failureOf(() =>
          mode.plan(request(host, { deviceRules: [{ allow: true, type: 'c', major: 10, minor: null, access: 'r' }] })),
        ),
        'HAKO_ERR_HOST_UNSUPPORTED',
      );
    }
  });

  it('can be closed twice', async () => {
    const mode = await plannable(subject, host);
    await mode?.[Symbol.asyncDispose]();
    await mode?.[Symbol.asyncDispose]();
  });
}

function failureOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return null;
}

function expectHakoError(error: unknown, code: string): void {
  expect(error, `a failure with ${code}`).toBeInstanceOf(HakoError);
  expect((error as HakoError).code).toBe(code);
}

/** Data only: a getter is asked for once, by the one who needs it. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
