import type { CgroupGroup } from '../../cgroup/index.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import { NODEV, NOEXEC, NOSUID, propagationOf, RDONLY } from './mount-options.ts';
import { bindOf, mountOf, ownDirectory } from './operations.ts';

const hardened = NOSUID | NOEXEC | NODEV;
const proc = mountOf('proc', '/proc', hardened);
const hostsOwn = {
  set: hardened,
  propagation: propagationOf('rslave'),
  recursive: true,
  target: ownDirectory,
} as const;

/**
 * A user namespace may mount procfs only for a PID namespace of its own, and sysfs only with a network namespace of
 * its own (the kernel's mount_capable and kobj_ns_current_may_mount); for the host's it gets the host's mount.
 */
export function procOperations(plan: IsolationPlan): readonly SetupOperation[] {
  return plan.namespaces.user !== 'host' && plan.namespaces.pid === 'host'
    ? [bindOf('/proc', '/proc', hostsOwn)]
    : [proc];
}

export function sysOperations(plan: IsolationPlan): readonly SetupOperation[] {
  const readonly = plan.writableSys ? 0n : RDONLY;
  if (plan.namespaces.user !== 'host' && plan.namespaces.network === 'host')
    return [bindOf('/sys', '/sys', { ...hostsOwn, set: hardened | readonly })];
  return [mountOf('sysfs', '/sys', hardened | readonly)];
}

/**
 * /sys/fs/cgroup. With a cgroup namespace the container sees its own groups as roots, and only the hierarchies in
 * which it has one: another would show it the group of the service that runs it. All of it is read-only
 * (CVE-2023-25809) unless the mode says otherwise.
 */
export function cgroupOperations(plan: IsolationPlan, groups: readonly CgroupGroup[]): readonly SetupOperation[] {
  const readonly = plan.writableSys ? 0n : RDONLY;
  if (plan.namespaces.cgroup !== 'private') {
    return [
      bindOf('/sys/fs/cgroup', '/sys/fs/cgroup', {
        set: hardened | readonly,
        recursive: true,
        optional: true,
        target: ownDirectory,
      }),
    ];
  }
  const legacy = groups.filter(({ version }) => version === 1);
  if (legacy.length === 0)
    return groups.length === 0 ? [] : [mountOf('cgroup2', '/sys/fs/cgroup', hardened | readonly, [], 'cgroup')];
  return [
    mountOf('tmpfs', '/sys/fs/cgroup', hardened, [['mode', '755']], 'cgroup'),
    ...legacy.flatMap(({ controllers }) => legacyDirectory(controllers)),
    // Before the hierarchies are there: read-only by a mount of itself over itself, and they need not be mounted twice.
    ...(plan.writableSys ? [] : [{ kind: 'readonly', path: '/sys/fs/cgroup' } as const]),
    ...legacy.map((group) => legacyHierarchy(group, hardened | readonly)),
  ];
}

/** Controllers that share a hierarchy have one directory, and a link each (systemd and runc lay it out so). */
function legacyDirectory(controllers: readonly string[]): readonly SetupOperation[] {
  const name = controllers.join(',');
  const links =
    controllers.length === 1
      ? []
      : controllers.map((controller) => ({
          kind: 'symlink' as const,
          target: name,
          path: `/sys/fs/cgroup/${controller}`,
        }));
  return [{ kind: 'mkdir', path: `/sys/fs/cgroup/${name}`, mode: 0o755 }, ...links];
}

/**
 * The container's own group, bound: inside its cgroup namespace that is just what a new mount of the hierarchy shows,
 * but it need not wait until the process is in the group, nor for the kernel's lock of all groups.
 */
function legacyHierarchy({ controllers, directory }: CgroupGroup, set: bigint): SetupOperation {
  return bindOf(directory, `/sys/fs/cgroup/${controllers.join(',')}`, {
    set,
    target: { create: null, noFollow: true },
  });
}
