import type { ContainerId } from '../base/ids.ts';

/** The Linux namespaces a container can have for itself (namespaces(7)). @public */
export type NamespaceKind = 'mount' | 'pid' | 'network' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

/** Its own, the host's, or another container's. @public */
export type NamespaceChoice = 'private' | 'host' | { readonly container: ContainerId };

/** One line of a uid_map or gid_map (user_namespaces(7)). @public */
export interface IdMapping {
  /** The first id inside. */
  readonly containerId: number;
  /** The first id outside. */
  readonly hostId: number;
  /** How many ids follow each other. */
  readonly size: number;
}

/** The user and group ids of a user namespace, as in user_namespaces(7). @public */
export interface IdMappings {
  readonly uid: readonly IdMapping[];
  readonly gid: readonly IdMapping[];
  /** Who writes the maps: the supervisor itself, or the set-uid helpers newuidmap(1) and newgidmap(1). */
  readonly method:
    | { readonly kind: 'direct'; readonly denySetgroups: boolean }
    | { readonly kind: 'helpers'; readonly newuidmap: string; readonly newgidmap: string };
}

/** Ids of the host that one container has, and no other. @public */
export interface IdRange {
  /** The first uid, and the first gid. */
  readonly start: number;
  /** How many ids. */
  readonly size: number;
}

/** The five sets of capabilities(7), by name (`CAP_CHOWN`). @public */
export interface CapabilitySets {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

/** A device node in the container's /dev. @public */
export interface DeviceNode {
  /** Inside the container. */
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One rule of the devices cgroup; null stands for any number. @public */
export interface DeviceRule {
  readonly allow: boolean;
  /** `a`: character and block devices. */
  readonly type: 'a' | 'c' | 'b';
  /** null: any. */
  readonly major: number | null;
  /** null: any. */
  readonly minor: number | null;
  /** Some of `r`, `w`, `m`. */
  readonly access: string;
}

/** Something that was wished for by default and that this host cannot give. @public */
export interface Degradation {
  /** `'seccomp'`, `'device rules'`, `'more than one user'`. */
  readonly what: string;
  /** What of this host stands in the way, as the middle of a sentence. */
  readonly why: string;
  /** What to do to have it, as the middle of a sentence. */
  readonly remedy: string;
}
