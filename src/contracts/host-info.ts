/** A thing the host may lack; `reason` is shown to the user as it is. @public */
export type Support = { readonly supported: true } | { readonly supported: false; readonly reason: string };

/** How control groups are set up here (cgroups(7)). @public */
export interface CgroupHost {
  readonly layout: 'v1' | 'v2' | 'hybrid' | 'none';
  /**
   * Controllers that hako may use, each with the directory under which it makes containers' groups. On v2 `devices`
   * (by BPF) and `freezer` (cgroup.freeze) are listed as if they were controllers.
   */
  readonly controllers: Readonly<Record<string, string>>;
  /** Names of the interface files that groups have here: `memory.memsw.limit_in_bytes`, `io.bfq.weight`. */
  readonly files: readonly string[];
  /** Where the v2 hierarchy is mounted, if it is. */
  readonly unifiedMount: string | null;
  /** The parent group on v2, or null when hako may not make groups there. */
  readonly unifiedParent: string | null;
  /** For each controller that cannot be used: why. */
  readonly missing: Readonly<Record<string, string>>;
}

/** An id range of /etc/subuid or /etc/subgid (subuid(5)). @public */
export interface SubordinateRange {
  /** The first id. */
  readonly start: number;
  /** How many ids. */
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
  /** This process is itself in a user namespace: it cannot make device nodes, whatever its capabilities. */
  readonly inUserNamespace: boolean;
  readonly userNamespaces: Support;
  /** Overlay mounted inside a user namespace. */
  readonly rootlessOverlay: Support;
  readonly overlay: Support;
  readonly seccomp: Support;
  readonly apparmor: Support;
  readonly timeNamespaces: Support;
  readonly cgroupNamespaces: Support;
  readonly raiseLimits: Support;
  /** The hard limit of open files of this process, which a container's cannot exceed without `raiseLimits`; null: none. */
  readonly openFilesLimit: number | null;
  /** This process's oom_score_adj (proc_pid_oom_score_adj(5)). */
  readonly oomScoreAdj: number;
  /** Ids beside its own that this user may map into a user namespace. */
  readonly idRanges:
    | {
        readonly supported: true;
        /** Who may write such a map: this process itself (root), or newuidmap(1) and newgidmap(1) at these paths. */
        readonly method:
          | { readonly kind: 'direct' }
          | { readonly kind: 'helpers'; readonly newuidmap: string; readonly newgidmap: string };
        readonly uid: readonly SubordinateRange[];
        readonly gid: readonly SubordinateRange[];
      }
    | { readonly supported: false; readonly reason: string; readonly remedy: string };
  /** Directories of this machine's /sys that tell a container of its neighbours, and whose names differ by machine. */
  readonly sideChannels: readonly string[];
}
