import {
  type Degradations,
  definePlugin,
  HakoError,
  type IsolationPlan,
  type IsolationRequest,
  planAppArmor,
  planCapabilities,
  planNamespaces,
  requireHostRoot,
} from 'libhako/plugin';
import { z } from 'zod';

/**
 * A container that may do what this process may do: every capability that the host gives, all of its devices, /proc
 * and /sys writable and unmasked, no seccomp filter. It isolates programs that are trusted, such as a nested
 * container engine, and no others.
 *
 * @public
 */
export const privileged = definePlugin({
  kind: 'privilege',
  id: 'privileged',
  api: 1,
  options: z.object({}),
  probe: (host) =>
    host.capabilities.includes('CAP_SYS_ADMIN')
      ? { supported: true }
      : {
          supported: false,
          reason: "a privileged container needs CAP_SYS_ADMIN; run as root, or use the mode 'rootless'",
        },
  create: async () => ({
    ownership: { kind: 'same' as const },
    plan,
    [Symbol.asyncDispose]: async () => {},
  }),
});

function plan(request: IsolationRequest): IsolationPlan {
  const { host } = request;
  requireHostRoot(request, 'privileged');
  const degraded: Degradations = [];
  return {
    namespaces: planNamespaces(request, 'host', degraded),
    idMappings: null,
    idmappedRoot: false,
    idEmulation: 'none',
    capabilities: planCapabilities(request, host.capabilities, host.capabilities, degraded),
    noNewPrivileges: request.noNewPrivileges ?? false,
    seccomp: request.seccomp === 'default' ? 'unconfined' : requireSeccomp(request),
    apparmorProfile: request.apparmorProfile === undefined ? null : planAppArmor(request, degraded),
    maskedPaths: request.maskedPaths ?? [],
    readonlyPaths: request.readonlyPaths ?? [],
    readonlyRoot: request.readonlyRoot,
    writableSys: true,
    devices: merge(request),
    deviceMethod: host.inUserNamespace ? 'bind' : 'mknod',
    // What the service itself may use: a group inherits its parent's rules on v1, and has none on v2.
    deviceRules: request.deviceRules.length === 0 ? null : requireRules(request),
    nodev: false,
    degraded,
  };
}

function requireSeccomp(request: IsolationRequest): IsolationPlan['seccomp'] {
  const { seccomp } = request.host;
  if (!seccomp.supported && request.seccomp !== 'unconfined')
    throw new HakoError('HOST_UNSUPPORTED', `A seccomp profile cannot be enforced here: ${seccomp.reason}.`);
  return request.seccomp;
}

function requireRules(request: IsolationRequest): IsolationPlan['deviceRules'] {
  const { controllers, missing } = request.host.cgroup;
  if (controllers['devices'] === undefined) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      `deviceRules cannot be enforced here: ${missing['devices'] ?? 'there is no devices controller'}.`,
    );
  }
  return [{ allow: true, type: 'a', major: null, minor: null, access: 'rwm' }, ...request.deviceRules];
}

function merge(request: IsolationRequest): IsolationPlan['devices'] {
  const byPath = new Map([...request.hostDevices, ...request.devices].map((device) => [device.path, device]));
  return [...byPath.values()];
}
