import {
  type CapabilitySets,
  type Degradations,
  defaultCapabilities,
  defaultDeviceRules,
  definePlugin,
  HakoError,
  type IsolationPlan,
  type IsolationRequest,
  planAppArmor,
  planCapabilities,
  planDeviceRules,
  planNamespaces,
  planPaths,
  planSeccomp,
} from 'libhako/plugin';
import { z } from 'zod';

/**
 * What images are written for: Docker's capabilities, seccomp profile and masked paths, its own devices and no
 * others; and, stricter than Docker, no way to new privileges (set-user-ID programs such as sudo give none).
 *
 * @public
 */
export const normal = definePlugin({
  kind: 'privilege',
  id: 'normal',
  api: 1,
  options: z.object({}),
  probe: (host) =>
    host.capabilities.includes('CAP_SYS_ADMIN')
      ? { supported: true }
      : {
          supported: false,
          reason:
            "making namespaces without a user namespace needs CAP_SYS_ADMIN; run as root, or use the mode 'rootless'",
        },
  create: async () => ({
    ownership: { kind: 'same' as const },
    plan,
    [Symbol.asyncDispose]: async () => {},
  }),
});

function plan(request: IsolationRequest): IsolationPlan {
  const { host } = request;
  if (!host.capabilities.includes('CAP_SYS_ADMIN')) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      "The mode 'normal' needs CAP_SYS_ADMIN; run as root, or use the mode 'rootless'.",
    );
  }
  if (request.namespaces.user !== undefined && request.namespaces.user !== 'host') {
    throw new HakoError(
      'INVALID_OPTION',
      "A container of mode 'normal' has no user namespace of its own; leave namespaces.user out, or use the mode 'rootless'.",
    );
  }
  const degraded: Degradations = [];
  const deviceRules = planDeviceRules(request, defaultDeviceRules, degraded);
  const capabilities = planCapabilities(request, defaultCapabilities, host.capabilities, degraded);
  return {
    namespaces: planNamespaces(
      request,
      {
        mount: 'private',
        pid: 'private',
        network: 'private',
        ipc: 'private',
        uts: 'private',
        user: 'host',
        cgroup: 'private',
        time: 'host',
      },
      degraded,
    ),
    idMappings: null,
    capabilities: deviceRules === null ? withoutDevices(request, capabilities) : capabilities,
    noNewPrivileges: request.noNewPrivileges ?? true,
    seccomp: planSeccomp(request, degraded),
    apparmorProfile: planAppArmor(request, degraded),
    ...planPaths(request),
    readonlyRoot: request.readonlyRoot,
    writableSys: false,
    devices: request.devices,
    deviceMethod: host.inUserNamespace ? 'bind' : 'mknod',
    deviceRules,
    nodev: deviceRules === null,
    degraded,
  };
}

/** Without rules, a root that can make device nodes has every device of the host, its disks among them. */
function withoutDevices(request: IsolationRequest, sets: CapabilitySets): CapabilitySets {
  const asked = request.capabilitiesAdd.some((name) => /^(CAP_)?(MKNOD|ALL)$/i.test(name));
  if (asked) {
    throw new HakoError(
      'HOST_UNSUPPORTED',
      "CAP_MKNOD cannot be given here: no control group of this process's can hold the container to the devices that it may use. Mount the devices controller, leave the capability out, or use the mode 'privileged'.",
    );
  }
  const without = (names: readonly string[]) => names.filter((name) => name !== 'CAP_MKNOD');
  return {
    bounding: without(sets.bounding),
    effective: without(sets.effective),
    permitted: without(sets.permitted),
    inheritable: without(sets.inheritable),
    ambient: without(sets.ambient),
  };
}
