import {
  allCapabilities,
  type Degradations,
  defaultCapabilities,
  defaultDeviceRules,
  definePlugin,
  type FileOwnership,
  HakoError,
  type IsolationPlan,
  type IsolationRequest,
  type NamespaceChoice,
  planAppArmor,
  planCapabilities,
  planDeviceRules,
  planNamespaces,
  planPaths,
  planSeccomp,
} from 'libhako/plugin';
import { z } from 'zod';
import { planOwnership } from './id-mappings.ts';

/**
 * A container in a user namespace, for which no privilege is needed: its root is an ordinary user outside. Run by
 * root it uses a range of ids that no one else has.
 *
 * @public
 */
export const rootless = definePlugin({
  kind: 'privilege',
  id: 'rootless',
  api: 1,
  options: z.object({}),
  probe: (host) => host.userNamespaces,
  create: async ({ host }) => {
    const ownership = planOwnership(host);
    return { ownership, plan: (request) => plan(request, ownership), [Symbol.asyncDispose]: async () => {} };
  },
});

function plan(request: IsolationRequest, ownership: FileOwnership): IsolationPlan {
  const degraded: Degradations = [];
  const user = userNamespace(request);
  const namespaces = planNamespaces(
    { ...request, namespaces: { ...request.namespaces, user } },
    {
      mount: 'private',
      pid: 'private',
      network: 'private',
      ipc: 'private',
      uts: 'private',
      user,
      cgroup: 'private',
      time: 'host',
    },
    degraded,
  );
  const { idRanges } = request.host;
  if (ownership.kind === 'single' && !idRanges.supported)
    degraded.push({ feature: 'more than one user', reason: idRanges.reason });
  return {
    namespaces,
    idMappings: user === 'private' && ownership.kind !== 'same' ? ownership.idMappings : null,
    // A user namespace starts with every capability, each of them worth something only inside (user_namespaces(7)).
    capabilities: planCapabilities(request, defaultCapabilities, allCapabilities, degraded),
    noNewPrivileges: request.noNewPrivileges ?? true,
    seccomp: planSeccomp(request, degraded),
    apparmorProfile: planAppArmor(request, degraded),
    ...planPaths(request),
    readonlyRoot: request.readonlyRoot,
    writableSys: false,
    devices: request.devices,
    deviceMethod: 'bind',
    deviceRules: deviceRules(request, degraded),
    nodev: false,
    degraded,
  };
}

/**
 * A namespace belongs to a user namespace, and only there does a container have rights over it. So one that shares
 * another container's namespaces shares its user namespace as well.
 */
function userNamespace(request: IsolationRequest): NamespaceChoice {
  const { user: asked, ...others } = request.namespaces;
  const joined = [
    ...new Set(Object.values(others).flatMap((choice) => (typeof choice === 'object' ? [choice.container] : []))),
  ];
  const [first, second] = joined;
  if (second !== undefined) {
    throw new HakoError(
      'INVALID_OPTION',
      "A rootless container can share the namespaces of one other container only, since it shares that one's user namespace too; name the same container for all.",
    );
  }
  if (asked === 'host')
    throw new HakoError(
      'INVALID_OPTION',
      "namespaces.user cannot be 'host' in the mode 'rootless'; use the mode 'normal'.",
    );
  if (first === undefined) return asked ?? 'private';
  if (asked === undefined) return { container: first };
  if (asked === 'private' || asked.container !== first) {
    throw new HakoError(
      'INVALID_OPTION',
      `A rootless container that shares namespaces of ${first.slice(0, 12)} shares its user namespace too; leave namespaces.user out.`,
    );
  }
  return asked;
}

/** A user namespace cannot make device nodes, and gets those that are bound: rules are a second wall where they can be had. */
function deviceRules(request: IsolationRequest, degraded: Degradations): IsolationPlan['deviceRules'] {
  const enforceable = request.host.cgroup.controllers['devices'] !== undefined;
  return enforceable || request.deviceRules.length > 0 ? planDeviceRules(request, defaultDeviceRules, degraded) : null;
}
