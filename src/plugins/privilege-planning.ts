import { type CapabilityName, parseCapability } from '../base/capabilities.ts';
import { HakoError } from '../base/errors.ts';
import type {
  CapabilitySets,
  Degradation,
  DeviceRule,
  NamespaceChoice,
  NamespaceKind,
} from '../contracts/isolation.ts';
import type { IsolationPlan, IsolationRequest } from '../contracts/privilege-mode.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from './privilege-defaults.ts';

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
    degraded.push({ feature: 'capabilities', reason: `this process does not have ${lacking.join(', ')} itself` });
  const kept = start.filter((name) => available.includes(name) && !drop.names.includes(parseCapability(name)));
  const set = [...new Set([...kept, ...add.names])].sort();
  return { bounding: set, effective: set, permitted: set, inheritable: [], ambient: [] };
}

function parseList(texts: readonly string[]): { readonly all: boolean; readonly names: readonly CapabilityName[] } {
  const isAll = (text: string): boolean => /^(cap_)?all$/i.test(text);
  return { all: texts.some(isAll), names: texts.filter((text) => !isAll(text)).map(parseCapability) };
}

/**
 * The namespaces of a container: the caller's choices, else `defaults`. A default that the kernel cannot give falls
 * back to the host's namespace and is told as a degradation.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a mount namespace that is not private; `HAKO_ERR_HOST_UNSUPPORTED` for
 * a choice that the kernel cannot give.
 * @public
 */
export function planNamespaces(
  request: IsolationRequest,
  defaults: Readonly<Record<NamespaceKind, NamespaceChoice>>,
  degraded: Degradations,
): Readonly<Record<NamespaceKind, NamespaceChoice>> {
  const { host, namespaces: asked } = request;
  if (asked.mount !== undefined && asked.mount !== 'private') {
    throw new HakoError(
      'INVALID_OPTION',
      "namespaces.mount can only be 'private': a container's root is its own. To share files, use mounts.",
    );
  }
  const chosen = { ...defaults, ...defined(asked) };
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
    degraded.push({ feature: `${kind} namespace`, reason: support.reason });
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
  degraded.push({ feature: 'seccomp', reason: support.reason });
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
      feature: 'AppArmor',
      reason:
        'no profile was named, and hako loads none by itself; load one with apparmor_parser and name it in the option apparmor',
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
 * Device rules: `base`, then one for each requested device, then the caller's own.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for rules of the caller's where they cannot be enforced.
 * @public
 */
export function planDeviceRules(
  request: IsolationRequest,
  base: readonly DeviceRule[],
  degraded: Degradations,
): readonly DeviceRule[] | null {
  const { controllers, missing } = request.host.cgroup;
  if (controllers['devices'] !== undefined) {
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
  const reason = missing['devices'] ?? 'there is no devices controller';
  if (request.deviceRules.length > 0)
    throw new HakoError('HOST_UNSUPPORTED', `deviceRules cannot be enforced here: ${reason}.`);
  degraded.push({ feature: 'device rules', reason });
  return null;
}
