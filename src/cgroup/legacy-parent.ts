import { type CgroupFiles, makeDirectory } from './files.ts';
import { defaultParentName, type Hierarchy } from './hierarchies.ts';
import { noDeviceRules, type ParentGroup } from './parents.ts';

/** Makes hako's group in one hierarchy of v1, under this process's own unless the caller names another. */
export async function openLegacyParent(
  hierarchy: Hierarchy,
  parent: string | null,
  mayRuleDevices: boolean,
  files: CgroupFiles,
): Promise<ParentGroup> {
  const { controllers } = hierarchy;
  const directory = parent === null ? `${hierarchy.own}/${defaultParentName}` : `${hierarchy.mountPoint}${parent}`;
  try {
    await makeLegacyGroup(hierarchy, directory, files);
  } catch (error) {
    const reason = `${directory} cannot be made (${error instanceof Error ? error.message : String(error)})`;
    return {
      version: 1,
      directory: null,
      controllers: [],
      files: [],
      missing: Object.fromEntries(controllers.map((controller) => [controller, reason])),
    };
  }
  const usable = controllers.filter((controller) => controller !== 'devices' || mayRuleDevices);
  return {
    version: 1,
    directory,
    controllers: usable,
    files: (await files.list(directory))?.files ?? [],
    missing: usable.length === controllers.length ? {} : { devices: noDeviceRules },
  };
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
