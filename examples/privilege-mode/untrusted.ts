import {
  allCapabilities,
  type Degradations,
  defaultDeviceRules,
  definePlugin,
  HakoError,
  type IsolationPlan,
  type IsolationRequest,
  planCapabilities,
  planConfined,
  planDeviceRules,
  requireHostRoot,
} from 'libhako/plugin';
import { z } from 'zod';

/**
 * A privilege mode of one's own: for programs of strangers, as an online judge runs. Root inside has no capability, is
 * nobody outside, and cannot write to the image; a caller can still give back what a program needs.
 *
 * What a mode does not want otherwise it takes from `planConfined`: Docker's defaults.
 */
export const untrusted = definePlugin({
  kind: 'privilege',
  id: 'untrusted',
  api: 1,
  options: z.object({
    /** How many ids a container gets. */
    ids: z.int().min(1).max(65_536).default(1_000),
  }),
  probe: (host) =>
    host.capabilities.includes('CAP_SYS_ADMIN')
      ? { supported: true }
      : { supported: false, reason: 'giving a container ids of its own needs CAP_SYS_ADMIN; run as root' },
  create: async (_context, { ids }) => ({
    // Files of images are stored as the layers say, and shifted when they are mounted.
    ownership: { kind: 'same' },
    // hako gives each container so many ids out of these, and takes them back with it.
    idRange: { start: 2_000_000_000, size: 10_000_000, perContainer: ids },
    plan,
    [Symbol.asyncDispose]: async () => {},
  }),
});

/** Pure: it looks at the request and at nothing else. */
function plan(request: IsolationRequest): IsolationPlan {
  requireHostRoot(request, 'untrusted', 'private');
  const { idRange } = request;
  if (idRange === null) throw new HakoError('INVALID_OPTION', "The mode 'untrusted' needs ids for its container.");
  const degraded: Degradations = [];
  const ids = [{ containerId: 0, hostId: idRange.start, size: idRange.size }];
  const confined = planConfined(
    request,
    {
      user: 'private',
      idMappings: { uid: ids, gid: ids, method: { kind: 'direct', denySetgroups: false } },
      available: allCapabilities,
      deviceMethod: 'bind',
      deviceRules: planDeviceRules(request, defaultDeviceRules, degraded),
    },
    degraded,
  );
  return {
    ...confined,
    idmappedRoot: true,
    capabilities: planCapabilities(request, [], allCapabilities, degraded),
    readonlyRoot: true,
  };
}
