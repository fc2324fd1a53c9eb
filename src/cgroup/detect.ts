import { capabilityNames } from '../base/capabilities.ts';
import { HakoError } from '../base/errors.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, kernelCgroupFiles, makeDirectory } from './files.ts';
import { defaultParentName, findHierarchies, type Hierarchy } from './hierarchies.ts';
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
  const controllers: Record<string, string> = {};
  const missing: Record<string, string> = {};
  const names = new Set<string>();
  let unifiedParent: string | null = null;

  for (const hierarchy of hierarchies) {
    if (hierarchy.version === 1) {
      await openLegacyParent(hierarchy, parent, files, controllers, missing, names);
      continue;
    }
    const unified = await openUnifiedParent(hierarchy, parent, files);
    unifiedParent = unified.directory;
    Object.assign(missing, unified.missing);
    if (unified.directory === null) continue;
    for (const controller of unified.controllers) controllers[controller] = unified.directory;
    for (const name of (await files.list(unified.directory))?.files ?? []) names.add(name);
    controllers['freezer'] ??= unified.directory;
    if (await mayLoadDevicePrograms(files)) controllers['devices'] ??= unified.directory;
    else
      missing['devices'] ??=
        'attaching a device program to a control group needs CAP_SYS_ADMIN in the first user namespace';
  }

  for (const controller of Object.keys(controllers)) delete missing[controller];
  if (controllers['blkio'] !== undefined) delete missing['io'];
  for (const controller of ['cpu', 'cpuset', 'devices', 'freezer', 'io', 'memory', 'pids']) {
    if (controllers[controller] === undefined && (controller !== 'io' || controllers['blkio'] === undefined))
      missing[controller] ??= reasonForNone(hierarchies);
  }
  return {
    layout: layoutOf(hierarchies),
    controllers,
    files: [...names].sort(),
    unifiedMount: hierarchies.find((hierarchy) => hierarchy.version === 2)?.mountPoint ?? null,
    unifiedParent,
    missing,
  };
}

async function openLegacyParent(
  hierarchy: Hierarchy,
  parent: string | null,
  files: CgroupFiles,
  controllers: Record<string, string>,
  missing: Record<string, string>,
  names: Set<string>,
): Promise<void> {
  const directory = parent === null ? `${hierarchy.own}/${defaultParentName}` : `${hierarchy.mountPoint}${parent}`;
  try {
    await makeLegacyGroup(hierarchy, directory, files);
  } catch (error) {
    for (const controller of hierarchy.controllers)
      missing[controller] = `${directory} cannot be made (${error instanceof Error ? error.message : String(error)})`;
    return;
  }
  for (const controller of hierarchy.controllers) controllers[controller] = directory;
  for (const name of (await files.list(directory))?.files ?? []) names.add(name);
}

async function makeLegacyGroup(hierarchy: Hierarchy, directory: string, files: CgroupFiles): Promise<void> {
  const below = directory.slice(hierarchy.mountPoint.length).split('/').filter(Boolean);
  let at = hierarchy.mountPoint;
  for (const name of below) {
    const above = at;
    at = `${at}/${name}`;
    await makeDirectory(at, files);
    // A cpuset without CPUs or memory nodes refuses every process (cpusets, cgroup-v1/cpusets.rst, 1.10).
    if (hierarchy.controllers.includes('cpuset')) await inheritCpuset(above, at, files);
  }
  // Containers' groups start with the parent's CPUs and nodes, so that a limit on one of the two is enough.
  if (hierarchy.controllers.includes('cpuset')) await files.write(`${at}/cgroup.clone_children`, '1');
  if (!(await files.writable(`${at}/cgroup.procs`)))
    throw Object.assign(new Error('no right to write to it'), { code: 'EACCES' });
}

async function inheritCpuset(above: string, group: string, files: CgroupFiles): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if ((await files.read(`${group}/${file}`))?.trim() !== '') continue;
    const value = (await files.read(`${above}/${file}`))?.trim();
    if (value !== undefined && value !== '') await files.write(`${group}/${file}`, value);
  }
}

/** bpf(2) checks capabilities in the first user namespace only, so root of another one does not have the right. */
async function mayLoadDevicePrograms(files: CgroupFiles): Promise<boolean> {
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

function reasonForNone(hierarchies: readonly Hierarchy[]): string {
  return hierarchies.length === 0
    ? 'no control group hierarchy is mounted; mount one at /sys/fs/cgroup'
    : 'the controller is in no hierarchy that is mounted here (left out of the kernel, or disabled by cgroup_disable=)';
}
