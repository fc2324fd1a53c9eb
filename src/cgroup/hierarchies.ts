import { parseMountInfo } from '../base/mountinfo.ts';

/** The name of the group that containers' groups are made in, unless the caller names another. */
export const defaultParentName = 'hako';

/** One mounted hierarchy, and where this process stands in it. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** v1: the controllers bound to it. v2: none; cgroup.controllers has them. */
  readonly controllers: readonly string[];
  /** The directory of this process's own group. */
  readonly own: string;
}

/**
 * Finds the hierarchies in /proc/self/cgroup and /proc/self/mountinfo (cgroups(7)). Named v1 hierarchies, such as
 * systemd's, hold no controller and are left out.
 */
export function findHierarchies(selfCgroup: string, mountInfo: string): readonly Hierarchy[] {
  const own = parseSelfCgroup(selfCgroup);
  const found: Hierarchy[] = [];
  for (const mount of parseMountInfo(mountInfo)) {
    if (mount.type === 'cgroup2') {
      if (found.some((hierarchy) => hierarchy.version === 2)) continue;
      found.push({
        version: 2,
        mountPoint: mount.mountPoint,
        controllers: [],
        own: below(mount.mountPoint, mount.root, own.get('') ?? '/'),
      });
    } else if (mount.type === 'cgroup') {
      const controllers = mount.superOptions.filter((option) => own.has(option));
      const first = controllers[0];
      if (first === undefined || found.some((hierarchy) => hierarchy.controllers.includes(first))) continue;
      found.push({
        version: 1,
        mountPoint: mount.mountPoint,
        controllers,
        own: below(mount.mountPoint, mount.root, own.get(first) ?? '/'),
      });
    }
  }
  return found;
}

/** Path of this process's group by controller; '' is v2's. */
function parseSelfCgroup(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === undefined || controllers === undefined || path === undefined) continue;
    if (controllers === '') {
      if (id === '0') paths.set('', path);
      continue;
    }
    for (const controller of controllers.split(',')) {
      if (!controller.startsWith('name=')) paths.set(controller, path);
    }
  }
  return paths;
}

/** Where a group is seen: a container without a cgroup namespace has its own group mounted as root, and its full path in /proc. */
function below(mountPoint: string, root: string, path: string): string {
  const inside = root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
  const clean = inside === '/' || inside.startsWith('/..') ? '' : inside;
  return `${mountPoint}${clean}`;
}
