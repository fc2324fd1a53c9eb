import {
  allCapabilities,
  type CapabilitySets,
  type Degradations,
  defaultDeviceRules,
  definePlugin,
  HakoError,
  type IdRange,
  type IsolationPlan,
  type IsolationRequest,
  planConfined,
  planDeviceRules,
  requireHostRoot,
} from 'libhako/plugin';
import { idPoolOf, normalOptions } from './options.ts';

/**
 * What images are written for: Docker's capabilities, seccomp profile and masked paths, its own devices and no
 * others; and, stricter than Docker, no way to new privileges (set-user-ID programs such as sudo give none).
 *
 * `normal({ userns: 'auto' })` gives each container a user namespace with ids of its own besides.
 *
 * @public
 */
export const normal = definePlugin({
  kind: 'privilege',
  id: 'normal',
  api: 1,
  options: normalOptions,
  probe: (host) =>
    host.capabilities.includes('CAP_SYS_ADMIN')
      ? { supported: true }
      : {
          supported: false,
          reason:
            "making namespaces without a user namespace needs CAP_SYS_ADMIN; run as root, or use the mode 'rootless'",
        },
  create: async (_context, options) => {
    const idRange = idPoolOf(options);
    return {
      // Also those of containers with ids of their own: the mount shifts them.
      ownership: { kind: 'same' as const },
      ...(idRange === undefined ? { plan } : { idRange, plan: planRemapped }),
      [Symbol.asyncDispose]: async () => {},
    };
  },
});

function plan(request: IsolationRequest): IsolationPlan {
  const { host } = request;
  requireHostRoot(request, 'normal');
  const degraded: Degradations = [];
  const deviceRules = planDeviceRules(request, defaultDeviceRules, degraded);
  const planned = planConfined(
    request,
    {
      user: 'host',
      idMappings: null,
      available: host.capabilities,
      deviceMethod: host.inUserNamespace ? 'bind' : 'mknod',
      deviceRules,
    },
    degraded,
  );
  return deviceRules === null
    ? { ...planned, capabilities: withoutDevices(request, planned.capabilities), nodev: true }
    : planned;
}

function planRemapped(request: IsolationRequest): IsolationPlan {
  const { idRange } = request;
  requireHostRoot(request, 'normal', 'private');
  if (idRange === null)
    throw new HakoError('INVALID_OPTION', "userns 'auto' needs ids for the container, and this caller gave none.");
  if (Object.values(request.namespaces).some((choice) => typeof choice === 'object'))
    throw new HakoError(
      'INVALID_OPTION',
      "A container with ids of its own (userns 'auto') has no rights over another container's namespaces, so it cannot share them; use userns 'host'.",
    );
  const degraded: Degradations = [];
  return {
    ...planConfined(
      request,
      {
        user: 'private',
        idMappings: mappingsOf(idRange),
        // A user namespace starts with every capability, each of them worth something only inside (user_namespaces(7)).
        available: allCapabilities,
        deviceMethod: 'bind',
        deviceRules: planDeviceRules(request, defaultDeviceRules, degraded),
      },
      degraded,
    ),
    idmappedRoot: true,
  };
}

function mappingsOf({ start, size }: IdRange): NonNullable<IsolationPlan['idMappings']> {
  const ids = [{ containerId: 0, hostId: start, size }];
  return { uid: ids, gid: ids, method: { kind: 'direct', denySetgroups: false } };
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
