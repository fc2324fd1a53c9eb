import { type CapabilityName, parseCapability } from '../base/capabilities.ts';
import { HakoError } from '../base/errors.ts';
import { lackingController } from '../cgroup/plan.ts';
import type {
  CapabilitySets,
  Degradation,
  DeviceRule,
  NamespaceChoice,
  NamespaceKind,
} from '../contracts/isolation.ts';
import type { IsolationPlan, IsolationRequest, RequestedDevice } from '../contracts/privilege-mode.ts';
import { defaultCapabilities, defaultMaskedPaths, defaultReadonlyPaths } from './privilege-defaults.ts';

/** What is collected while a plan is made. @public */
export type Degradations = Degradation[];

/**
 * The capabilities of a container: `base`, without what the caller drops, with what the caller adds, in Docker's
 * terms (`ALL` in `add` starts from `available`, `ALL` in `drop` from nothing). All of them are bounding, permitted
 * and effective; none is inheritable or ambient (CVE-2022-24769).
 *
 * @param available - what there is to give; an added one that is not there is an error, one of `base` a degradation.
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for an unknown name; `HAKO_ERR_HOST_UNSUPPORTED` for one that cannot be given.
 * @public
 */
export function planCapabilities(
  request: IsolationRequest,
  base: readonly string[],
  available: readonly string[],
  degraded: Degradations,
): CapabilitySets {
  const add = parseList(request.capabilitiesAdd);
  const drop = parseList(request.capabilitiesDrop);
  const missing = add.names.filter((name) => !available.includes(name));
  if (missing.length > 0) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `${missing.join(', ')} cannot be given to a container, because this process does not have ${missing.length === 1 ? 'it' : 'them'}; run the service with more capabilities, or do not ask for ${missing.length === 1 ? 'it' : 'them'}.`,
    );
  }
  const start = drop.all ? [] : add.all ? available : base;
  const lacking = start.filter((name) => !available.includes(name) && !drop.names.includes(parseCapability(name)));
  if (lacking.length > 0)
    degraded.push({
      what: 'capabilities',
      why: `this process does not have ${lacking.join(', ')} itself`,
      remedy: 'start the service with them, or leave them out (capabilities.drop)',
    });
  const kept = start.filter((name) => available.includes(name) && !drop.names.includes(parseCapability(name)));
  const set = [...new Set([...kept, ...add.names])].sort();
  return { bounding: set, effective: set, permitted: set, inheritable: [], ambient: [] };
}

function parseList(texts: readonly string[]): { readonly all: boolean; readonly names: readonly CapabilityName[] } {
  const isAll = (text: string): boolean => /^(cap_)?all$/i.test(text);
  return { all: texts.some(isAll), names: texts.filter((text) => !isAll(text)).map(parseCapability) };
}

/**
 * The namespaces of a container: the caller's choices, else all of its own but the time namespace, and `user` for the
 * user namespace. A default that the kernel cannot give falls back to the host's and is told as a degradation.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a mount namespace that is not private; `HAKO_ERR_HOST_UNSUPPORTED` for
 * a choice that the kernel cannot give.
 * @public
 */
export function planNamespaces(
  request: IsolationRequest,
  user: NamespaceChoice,
  degraded: Degradations,
): Readonly<Record<NamespaceKind, NamespaceChoice>> {
  const { host, namespaces: asked } = request;
  if (asked.mount !== undefined && asked.mount !== 'private') {
    throw new HakoError(
      'INVALID_OPTION',
      "namespaces.mount can only be 'private': a container's root is its own. To share files, use mounts.",
    );
  }
  const chosen: Record<NamespaceKind, NamespaceChoice> = {
    mount: 'private',
    pid: 'private',
    network: 'private',
    ipc: 'private',
    uts: 'private',
    cgroup: 'private',
    time: 'host',
    ...defined(asked),
    user,
  };
  for (const [kind, support] of [
    ['cgroup', host.cgroupNamespaces],
    ['time', host.timeNamespaces],
    ['user', host.userNamespaces],
  ] as const) {
    if (chosen[kind] === 'host' || support.supported) continue;
    if (asked[kind] !== undefined || kind === 'user') {
      throw new HakoError('HOST_UNSUPPORTED', `A ${kind} namespace cannot be made here: ${support.reason}.`);
    }
    chosen[kind] = 'host';
    degraded.push({
      what: `${kind} namespace`,
      why: support.reason,
      remedy: `use a kernel that gives them, or say that it is meant: namespaces.${kind} 'host'`,
    });
  }
  return chosen;
}

function defined(asked: IsolationRequest['namespaces']): Partial<Record<NamespaceKind, NamespaceChoice>> {
  return Object.fromEntries(Object.entries(asked).filter(([, choice]) => choice !== undefined));
}

/**
 * The seccomp profile: a caller's own must be enforced, the default one is given where the kernel has filters.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for a profile of the caller's on a kernel without filters.
 * @public
 */
export function planSeccomp(request: IsolationRequest, degraded: Degradations): IsolationPlan['seccomp'] {
  const { seccomp: support } = request.host;
  if (support.supported || request.seccomp === 'unconfined') return request.seccomp;
  if (request.seccomp !== 'default')
    throw new HakoError('HOST_UNSUPPORTED', `A seccomp profile cannot be enforced here: ${support.reason}.`);
  degraded.push({
    what: 'seccomp',
    why: support.reason,
    remedy: "use a kernel with CONFIG_SECCOMP_FILTER, or say that it is meant: seccomp 'unconfined'",
  });
  return 'unconfined';
}

/**
 * The AppArmor profile, which the host must have loaded already; none unless the caller names one.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for a profile on a host without AppArmor.
 * @public
 */
export function planAppArmor(request: IsolationRequest, degraded: Degradations): string | null {
  const { apparmorProfile: profile, host } = request;
  if (profile === null) return null;
  if (profile !== undefined) {
    if (!host.apparmor.supported)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        `The AppArmor profile '${profile}' cannot be enforced here: ${host.apparmor.reason}.`,
      );
    return profile;
  }
  if (host.apparmor.supported)
    degraded.push({
      what: 'AppArmor',
      why: 'no profile was named, and hako loads none by itself',
      remedy: 'load one with apparmor_parser and name it in the option apparmor',
    });
  return null;
}

/** Masked and read-only paths: the caller's lists instead of the defaults, entirely. @public */
export function planPaths(request: IsolationRequest): {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
} {
  return {
    maskedPaths: request.maskedPaths ?? [...defaultMaskedPaths, ...request.host.sideChannels],
    readonlyPaths: request.readonlyPaths ?? defaultReadonlyPaths,
  };
}

/**
 * Devices that are there and cannot be opened: in a user namespace they keep their owners, whom the container may not
 * have. What a group may open is left to whoever has been put into it.
 */
function tellClosedDevices(
  { devices }: IsolationRequest,
  mappings: IsolationPlan['idMappings'],
  degraded: Degradations,
): void {
  if (mappings === null) return;
  for (const { path, hostPath, uid, mode } of devices) {
    const isOwned = mappings.uid.some(({ hostId, size }) => uid >= hostId && uid < hostId + size);
    if (isOwned || (mode & 0o066) !== 0) continue;
    degraded.push({
      what: `device ${path}`,
      why: `${hostPath} belongs to user ${uid} of the host, who is nobody in the container, and its mode ${(mode & 0o777).toString(8)} lets no other open it`,
      remedy: `let others, or a group of the user who runs the service, read and write ${hostPath} (chmod, or a rule of udev), or use the mode 'normal'`,
    });
  }
}

/** Whether a device is to be read or to be written alone, which nothing but a device rule can see to. @public */
export function limitsAccess({ access }: Pick<RequestedDevice, 'access'>): boolean {
  return !access.includes('r') || !access.includes('w');
}

/**
 * Device rules: `base`, then one for each requested device, then the caller's own.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for rules of the caller's, and for devices that may not be read and
 * written both, where that cannot be enforced.
 * @public
 */
export function planDeviceRules(
  request: IsolationRequest,
  base: readonly DeviceRule[],
  degraded: Degradations,
): readonly DeviceRule[] | null {
  if (request.host.cgroup.controllers['devices'] !== undefined) {
    const granted = request.devices.map(({ type, major, minor, access }) => ({
      allow: true,
      type,
      major,
      minor,
      access,
    }));
    // The same list for the same question: what is compiled of it is kept by its identity.
    return granted.length === 0 && request.deviceRules.length === 0
      ? base
      : [...base, ...granted, ...request.deviceRules];
  }
  const lacking = lackingController(request.host.cgroup, 'device rules', 'devices');
  if (request.deviceRules.length > 0)
    throw new HakoError('HOST_UNSUPPORTED', `deviceRules cannot be enforced here: ${lacking.why}; ${lacking.remedy}.`);
  const limited = request.devices.find(limitsAccess);
  if (limited !== undefined)
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `That ${limited.path} may be used by '${limited.access}' only cannot be enforced here: ${lacking.why}; ${lacking.remedy}. Or give it whole, with 'rwm'.`,
    );
  degraded.push(lacking);
  return null;
}

/**
 * What the modes have in common that make their namespaces with the host's own rights.
 *
 * @param mode - its id, for the sentences
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` without CAP_SYS_ADMIN; `HAKO_ERR_INVALID_OPTION` for another user namespace
 * than the mode gives.
 * @public
 */
export function requireHostRoot(request: IsolationRequest, mode: string, user: 'host' | 'private' = 'host'): void {
  if (!request.host.capabilities.includes('CAP_SYS_ADMIN')) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `The mode '${mode}' needs CAP_SYS_ADMIN; run as root, or use the mode 'rootless'.`,
    );
  }
  const asked = request.namespaces.user;
  if (asked !== undefined && asked !== user) {
    throw new HakoError(
      'INVALID_OPTION',
      user === 'private'
        ? `A container of mode '${mode}' with ids of its own has a user namespace of its own too; leave namespaces.user out.`
        : `A container of mode '${mode}' has no user namespace of its own; leave namespaces.user out, or use the mode 'rootless'.`,
    );
  }
}

/** What a mode decides for itself, beside what {@link planConfined} gives to all. @public */
export interface ConfinedChoices {
  readonly user: NamespaceChoice;
  readonly idMappings: IsolationPlan['idMappings'];
  /** The capabilities that there are to give. */
  readonly available: readonly string[];
  readonly deviceMethod: IsolationPlan['deviceMethod'];
  readonly deviceRules: IsolationPlan['deviceRules'];
}

/**
 * The plan of a container that is held to Docker's defaults, and to those of the caller's wishes that go with them:
 * a mode of one's own begins with this and changes what it wants otherwise.
 *
 * @throws HakoError as the functions for each part do.
 * @public
 */
export function planConfined(
  request: IsolationRequest,
  choices: ConfinedChoices,
  degraded: Degradations,
): IsolationPlan {
  tellClosedDevices(request, choices.idMappings, degraded);
  return {
    namespaces: planNamespaces(request, choices.user, degraded),
    idMappings: choices.idMappings,
    idmappedRoot: false,
    idEmulation: 'none',
    capabilities: planCapabilities(request, defaultCapabilities, choices.available, degraded),
    noNewPrivileges: request.noNewPrivileges ?? true,
    seccomp: planSeccomp(request, degraded),
    apparmorProfile: planAppArmor(request, degraded),
    ...planPaths(request),
    readonlyRoot: request.readonlyRoot,
    writableSys: false,
    devices: request.devices,
    deviceMethod: choices.deviceMethod,
    deviceRules: choices.deviceRules,
    nodev: false,
    degraded,
  };
}
