/** A thing the host may lack; `reason` is shown to the user as it is. @public */
export type Support = { readonly supported: true } | { readonly supported: false; readonly reason: string };

/** How control groups are set up here (cgroups(7)). @public */
export interface CgroupHost {
  readonly layout: 'v1' | 'v2' | 'hybrid' | 'none';
  /** Controllers that hako may use, each with the directory under which it makes containers' groups. */
  readonly controllers: Readonly<Record<string, string>>;
  /** Where the v2 hierarchy is mounted, if it is. */
  readonly unifiedMount: string | null;
  /** The parent group on v2, or null when hako may not make groups there. */
  readonly unifiedParent: string | null;
  /** For each controller that cannot be used: why. */
  readonly missing: Readonly<Record<string, string>>;
}

/** An id range of /etc/subuid or /etc/subgid (subuid(5)). @public */
export interface SubordinateRange {
  readonly start: number;
  readonly size: number;
}

/**
 * What this machine can do for containers, found out by trying, with the reason for each "no".
 *
 * @public
 */
export interface HostInfo {
  readonly kernel: string;
  readonly architecture: 'x64' | 'arm64';
  readonly uid: number;
  readonly gid: number;
  /** Names of the capabilities in this process's effective set. */
  readonly capabilities: readonly string[];
  readonly cgroup: CgroupHost;
  readonly userNamespaces: Support;
  /** Overlay mounted inside a user namespace. */
  readonly rootlessOverlay: Support;
  readonly overlay: Support;
  readonly seccomp: Support;
  readonly apparmor: Support;
  readonly timeNamespaces: Support;
  readonly cgroupNamespaces: Support;
  readonly raiseLimits: Support;
  /** newuidmap, newgidmap and the ranges that this user has. */
  readonly idRanges:
    | { readonly supported: true; readonly newuidmap: string; readonly newgidmap: string; readonly uid: readonly SubordinateRange[]; readonly gid: readonly SubordinateRange[] }
    | { readonly supported: false; readonly reason: string };
}
