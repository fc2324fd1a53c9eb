import {
  allCapabilities,
  type Degradations,
  defaultDeviceRules,
  definePlugin,
  type FileOwnership,
  HakoError,
  type IsolationPlan,
  type IsolationRequest,
  limitsAccess,
  type NamespaceChoice,
  planConfined,
  planDeviceRules,
} from 'libhako/plugin';
import { z } from 'zod';
import { planOwnership } from './id-mappings.ts';

const rootlessOptions = z.object({
  /**
   * For a container with a single id (no newuidmap, or no range in /etc/subuid): what becomes of calls that name another.
   * `ignore`: they are answered as if they had been done, as fakeroot does, so that package managers work; `none`: they
   * fail with EINVAL or EPERM.
   */
  idEmulation: z.enum(['none', 'ignore']).default('ignore'),
});

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
  options: rootlessOptions,
  probe: (host) => host.userNamespaces,
  create: async ({ host }, { idEmulation }) => {
    const ownership = planOwnership(host);
    return {
      ownership,
      plan: (request) => plan(request, ownership, idEmulation),
      [Symbol.asyncDispose]: async () => {},
    };
  },
});

function plan(
  request: IsolationRequest,
  ownership: FileOwnership,
  idEmulation: IsolationPlan['idEmulation'],
): IsolationPlan {
  const degraded: Degradations = [];
  const user = userNamespace(request);
  const planned = planConfined(
    { ...request, namespaces: { ...request.namespaces, user } },
    {
      user,
      idMappings: user === 'private' && ownership.kind !== 'same' ? ownership.idMappings : null,
      // A user namespace starts with every capability, each of them worth something only inside (user_namespaces(7)).
      available: allCapabilities,
      deviceMethod: 'bind',
      deviceRules: deviceRules(request, degraded),
    },
    degraded,
  );
  const { idRanges, seccomp } = request.host;
  if (ownership.kind !== 'single' || idRanges.supported) return planned;
  const emulated = idEmulation === 'ignore' && seccomp.supported;
  degraded.push({
    what: 'more than one user',
    why: `${idRanges.reason}; so the container has one id, and ${
      emulated
        ? 'calls that name others are answered as if they had been done (idEmulation: ignore): all files stay its own, and its users have no wall between them'
        : 'calls that name others fail'
    }`,
    remedy: idRanges.remedy,
  });
  return { ...planned, idEmulation: emulated ? 'ignore' : 'none' };
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
  const isAsked = request.deviceRules.length > 0 || request.devices.some(limitsAccess);
  return enforceable || isAsked ? planDeviceRules(request, defaultDeviceRules, degraded) : null;
}
