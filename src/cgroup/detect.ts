import { capabilityNames } from '../base/capabilities.ts';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, kernelCgroupFiles } from './files.ts';
import { findHierarchies, type Hierarchy } from './hierarchies.ts';
import { openLegacyParent } from './legacy-parent.ts';
import type { ParentGroup } from './parents.ts';
import { openUnifiedParent } from './unified-parent.ts';

export interface CgroupOptions {
  /**
   * The group that containers' groups are made in, as a path of cgroup namespaces (`/services/shop`), the same in
   * every hierarchy. Default: `hako` under this process's own group, or under the delegated one on v2.
   */
  readonly parent?: string;
}

/**
 * Finds out how control groups are set up, and makes hako's parent group in each hierarchy where this process may:
 * only a group that exists tells which interface files the kernel has.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for a parent that is not a clean absolute path.
 */
export async function openCgroups(
  options: CgroupOptions = {},
  files: CgroupFiles = kernelCgroupFiles,
): Promise<CgroupHost> {
  const parent = options.parent === undefined ? null : checkParent(options.parent);
  const hierarchies = findHierarchies(
    (await files.read('/proc/self/cgroup')) ?? '',
    (await files.read('/proc/self/mountinfo')) ?? '',
  );
  const mayRule = await mayRuleDevices(files);
  const groups = await Promise.all(
    hierarchies.map((hierarchy) =>
      hierarchy.version === 1
        ? openLegacyParent(hierarchy, parent, mayRule, files)
        : openUnifiedParent(hierarchy, parent, mayRule, files),
    ),
  );
  const controllers = controllersOf(groups);
  return {
    layout: layoutOf(hierarchies),
    controllers,
    files: [...new Set(groups.flatMap((group) => group.files))].sort(),
    unifiedMount: hierarchies.find(({ version }) => version === 2)?.mountPoint ?? null,
    unifiedParent: groups.find(({ version }) => version === 2)?.directory ?? null,
    missing: missingOf(groups, controllers),
  };
}

/** v1's devices and freezer are real controllers, and go before what v2 has in their place. */
function controllersOf(groups: readonly ParentGroup[]): Readonly<Record<string, string>> {
  const controllers: Record<string, string> = {};
  for (const group of groups.toSorted((one, other) => other.version - one.version)) {
    if (group.directory !== null) for (const controller of group.controllers) controllers[controller] = group.directory;
  }
  return controllers;
}

function missingOf(
  groups: readonly ParentGroup[],
  controllers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const reason =
    groups.length === 0
      ? 'no control group hierarchy is mounted; mount one at /sys/fs/cgroup'
      : 'the controller is in no hierarchy that is mounted here (left out of the kernel, or disabled by cgroup_disable=)';
  const reasons: Record<string, string> = Object.fromEntries(known.map((controller) => [controller, reason]));
  for (const group of groups) Object.assign(reasons, group.missing);
  const isThere = (controller: string): boolean =>
    controllers[controller] !== undefined || (controller === 'io' && controllers['blkio'] !== undefined);
  return Object.fromEntries(Object.entries(reasons).filter(([controller]) => !isThere(controller)));
}

/** What hako has a use for. */
const known = ['cpu', 'cpuset', 'devices', 'freezer', 'io', 'memory', 'pids'];

/** Both bpf(2) and the v1 controller check in the first user namespace only, so root of another one does not have the right. */
async function mayRuleDevices(files: CgroupFiles): Promise<boolean> {
  const [, digits] = /^CapEff:\s*([0-9a-f]{16})$/m.exec((await files.read('/proc/self/status')) ?? '') ?? [];
  const first = /^\s*0\s+0\s+4294967295\s*$/.test((await files.read('/proc/self/uid_map')) ?? '');
  return first && digits !== undefined && capabilityNames(BigInt(`0x${digits}`)).includes('CAP_SYS_ADMIN');
}

function checkParent(parent: string): string {
  if (
    !parent.startsWith('/') ||
    parent === '/' ||
    parent.includes('\0') ||
    parent
      .split('/')
      .slice(1)
      .some((name) => name === '' || name === '.' || name === '..')
  ) {
    throw new HakoError(
      'INVALID_OPTION',
      `cgroupParent '${parent.slice(0, 100)}' is not a group's path; write one such as '/services/shop', absolute and without '.' or '..'.`,
    );
  }
  return parent;
}

function layoutOf(hierarchies: readonly Hierarchy[]): CgroupHost['layout'] {
  const v1 = hierarchies.some((hierarchy) => hierarchy.version === 1);
  const v2 = hierarchies.some((hierarchy) => hierarchy.version === 2);
  return v1 ? (v2 ? 'hybrid' : 'v1') : v2 ? 'v2' : 'none';
}
