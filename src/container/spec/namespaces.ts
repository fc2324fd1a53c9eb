import type { ContainerId } from '../../base/ids.ts';
import type { NamespaceKind } from '../../contracts/isolation.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  type NamespaceJoin,
} from '../../native/protocol.ts';

/** Flag of clone(2), and the name in /proc/<pid>/ns; user first, since the others are entered with its rights. */
const namespaces = {
  user: { flag: CLONE_NEWUSER, file: 'user' },
  mount: { flag: CLONE_NEWNS, file: 'mnt' },
  pid: { flag: CLONE_NEWPID, file: 'pid' },
  network: { flag: CLONE_NEWNET, file: 'net' },
  ipc: { flag: CLONE_NEWIPC, file: 'ipc' },
  uts: { flag: CLONE_NEWUTS, file: 'uts' },
  cgroup: { flag: CLONE_NEWCGROUP, file: 'cgroup' },
  time: { flag: CLONE_NEWTIME, file: 'time' },
} as const satisfies Record<NamespaceKind, { flag: number; file: string }>;

const kinds = Object.keys(namespaces) as readonly NamespaceKind[];

/** A namespace of another container, to be opened as `/proc/<its pid>/ns/<file>`. */
export interface JoinedNamespace {
  readonly container: ContainerId;
  readonly file: string;
}

/** CLONE_NEW* of the namespaces to make. */
export function unshareFlags(plan: IsolationPlan): number {
  // Shifting works on signed numbers, which the kernel's flags are not.
  return kinds.reduce(
    (flags, kind) => (plan.namespaces[kind] === 'private' ? (flags | namespaces[kind].flag) >>> 0 : flags),
    0,
  );
}

/** What has to be opened for a start, in the order in which the supervisor wants the descriptors. */
export function joinedNamespaces(plan: IsolationPlan): readonly JoinedNamespace[] {
  return joins(plan).map(({ kind, container }) => ({ container, file: namespaces[kind].file }));
}

/** The same, as the request names them. */
export function joinRequests(plan: IsolationPlan): readonly NamespaceJoin[] {
  return joins(plan).map(({ kind }, index) => ({ kind: namespaces[kind].flag, index }));
}

function joins(plan: IsolationPlan): readonly { kind: NamespaceKind; container: ContainerId }[] {
  return kinds.flatMap((kind) => {
    const choice = plan.namespaces[kind];
    return typeof choice === 'object' ? [{ kind, container: choice.container }] : [];
  });
}
