import { type CgroupFiles, makeDirectory } from './files.ts';
import { defaultParentName, type Hierarchy } from './hierarchies.ts';
import { noDeviceRules, type ParentGroup } from './parents.ts';

const wanted = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

/**
 * Chooses the group of the v2 hierarchy under which containers' groups are made, and hands the controllers down to
 * it. It is the topmost group above this process that may be written to and can hand controllers down: a group
 * other than the real root that holds processes cannot ("no internal processes", cgroup-v2.rst), and a process
 * may be moved only within a subtree that its mover may write to ("delegation containment").
 */
export async function openUnifiedParent(
  hierarchy: Hierarchy,
  parent: string | null,
  mayRuleDevices: boolean,
  files: CgroupFiles,
): Promise<ParentGroup> {
  const chosen = parent === null ? await chooseParent(hierarchy, files) : `${hierarchy.mountPoint}${parent}`;
  if (chosen === null) {
    return none(
      `the control group ${hierarchy.own} may not be written to; have it delegated to this user (systemd: Delegate=yes, or systemd-run --user --scope -p Delegate=yes)`,
    );
  }
  const { directory, controllers, missing } = await handDown(chosen, hierarchy.mountPoint, files);
  if (directory === null) return none(missing);
  return {
    version: 2,
    directory,
    // What v1 has controllers for, v2 does by programs and for every group.
    controllers: [...controllers, 'freezer', ...(mayRuleDevices ? ['devices'] : [])],
    files: (await files.list(directory))?.files ?? [],
    missing: mayRuleDevices ? missing : { ...missing, devices: noDeviceRules },
  };
}

async function chooseParent(hierarchy: Hierarchy, files: CgroupFiles): Promise<string | null> {
  const candidates: string[] = [];
  for (const group of ancestors(hierarchy)) {
    if (!(await files.writable(group)) || !(await files.writable(`${group}/cgroup.procs`))) break;
    candidates.unshift(group);
  }
  for (const group of candidates) {
    if ((await reasonAgainst(group, files)) === null) return `${group}/${defaultParentName}`;
  }
  // None can hand all of them down: the topmost at least freezes and kills, and says what is in the way.
  return candidates[0] === undefined ? null : `${candidates[0]}/${defaultParentName}`;
}

/** The own group first, the mount's root last. */
function ancestors(hierarchy: Hierarchy): readonly string[] {
  const groups = [hierarchy.own];
  for (let group = hierarchy.own; group !== hierarchy.mountPoint; ) {
    group = group.slice(0, group.lastIndexOf('/'));
    groups.push(group);
  }
  return groups;
}

/** Why a group cannot hand down the controllers that it does not hand down already; null: it can. */
async function reasonAgainst(group: string, files: CgroupFiles): Promise<string | null> {
  const available = words(await files.read(`${group}/cgroup.controllers`));
  const enabled = words(await files.read(`${group}/cgroup.subtree_control`));
  if (wanted.every((controller) => !available.includes(controller) || enabled.includes(controller))) return null;
  if (!(await files.writable(`${group}/cgroup.subtree_control`)))
    return `${group}/cgroup.subtree_control may not be written to`;
  // Only the real root has no cgroup.type, and only it may hold processes beside groups with controllers.
  if ((await files.read(`${group}/cgroup.type`)) === null) return null;
  if (words(await files.read(`${group}/cgroup.procs`)).length === 0) return null;
  return `${group} holds processes, and such a group cannot hand controllers down; move them to a child group of it (mkdir ${group}/init, then write each pid of ${group}/cgroup.procs to ${group}/init/cgroup.procs)`;
}

type HandedDown =
  | {
      readonly directory: string;
      readonly controllers: readonly string[];
      readonly missing: Readonly<Record<string, string>>;
    }
  | { readonly directory: null; readonly controllers: readonly []; readonly missing: string };

async function handDown(directory: string, mountPoint: string, files: CgroupFiles): Promise<HandedDown> {
  const missing: Record<string, string> = {};
  let at = mountPoint;
  let controllers: readonly string[] = words(await files.read(`${at}/cgroup.controllers`)).filter((name) =>
    wanted.includes(name),
  );
  for (const name of wanted)
    if (!controllers.includes(name)) missing[name] = `${at}/cgroup.controllers does not list it`;
  for (const name of directory.slice(mountPoint.length).split('/').filter(Boolean)) {
    controllers = await enable(at, controllers, missing, files);
    at = `${at}/${name}`;
    try {
      await makeDirectory(at, files);
    } catch (error) {
      return {
        directory: null,
        controllers: [],
        missing: `${at} cannot be made (${error instanceof Error ? error.message : String(error)})`,
      };
    }
  }
  // Containers' groups are its children, so it hands down too; it holds no process of its own, ever.
  return { directory, controllers: await enable(at, controllers, missing, files), missing };
}

/** Enables each controller by itself: one that is refused must not take the others with it. */
async function enable(
  group: string,
  controllers: readonly string[],
  missing: Record<string, string>,
  files: CgroupFiles,
): Promise<readonly string[]> {
  const enabled = new Set(words(await files.read(`${group}/cgroup.subtree_control`)));
  let refused: string | null = null;
  for (const controller of controllers) {
    if (enabled.has(controller)) continue;
    try {
      await files.write(`${group}/cgroup.subtree_control`, `+${controller}`);
      enabled.add(controller);
    } catch (error) {
      refused ??=
        (await reasonAgainst(group, files)) ??
        `${group}/cgroup.subtree_control refused it (${error instanceof Error ? error.message : String(error)})`;
      missing[controller] = refused;
    }
  }
  return controllers.filter((controller) => enabled.has(controller));
}

function none(reason: string): ParentGroup {
  const missing = Object.fromEntries([...wanted, 'devices', 'freezer'].map((name) => [name, reason]));
  return { version: 2, directory: null, controllers: [], files: [], missing };
}

function words(text: string | null): readonly string[] {
  return (text ?? '').split(/\s+/).filter(Boolean);
}
