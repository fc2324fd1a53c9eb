import type { HostInfo } from './host-info.ts';
import type {
  CapabilitySets,
  Degradation,
  DeviceNode,
  DeviceRule,
  IdMappings,
  IdRange,
  NamespaceChoice,
  NamespaceKind,
} from './isolation.ts';

/** What the caller asked for, every field already valid. Nothing in it comes from an image. @public */
export interface IsolationRequest {
  readonly host: HostInfo;
  readonly namespaces: Partial<Readonly<Record<NamespaceKind, NamespaceChoice>>>;
  /** Names with or without `CAP_`, or `ALL`. */
  readonly capabilitiesAdd: readonly string[];
  readonly capabilitiesDrop: readonly string[];
  readonly devices: readonly RequestedDevice[];
  /** Added to the mode's own, after those that come of `devices`. */
  readonly deviceRules: readonly DeviceRule[];
  /** Every device node of the host's /dev; looked up when it is read, so only by modes that hand them on. */
  readonly hostDevices: readonly RequestedDevice[];
  /** undefined: the mode's default. */
  readonly noNewPrivileges: boolean | undefined;
  readonly seccomp: 'default' | 'unconfined' | SeccompProfileText;
  /** undefined: the mode's default; null: unconfined. */
  readonly apparmorProfile: string | null | undefined;
  readonly maskedPaths: readonly string[] | undefined;
  readonly readonlyPaths: readonly string[] | undefined;
  readonly readonlyRoot: boolean;
  /** The container's own, for a mode with `idRange`; else null. */
  readonly idRange: IdRange | null;
}

/** A device of the host that the container gets: `stat`ed already. @public */
export interface RequestedDevice extends DeviceNode {
  /** On the host. */
  readonly hostPath: string;
  /** Some of `r`, `w` and `m` (mknod). */
  readonly access: string;
}

/** A profile in Docker's JSON form, parsed later by hako itself. @public */
export interface SeccompProfileText {
  /** A profile in Docker's form. */
  readonly json: string;
}

/**
 * How one container will be isolated: the whole of it, for the compiler of start requests to carry out to the
 * letter. It is data, so it can be printed, compared and tested without making a container.
 *
 * @public
 */
export interface IsolationPlan {
  readonly namespaces: Readonly<Record<NamespaceKind, NamespaceChoice>>;
  /** null: no user namespace of its own. */
  readonly idMappings: IdMappings | null;
  /** Whether the storage driver's mounts are shifted by `idMappings`, since files are stored with the ids that layers say. */
  readonly idmappedRoot: boolean;
  /**
   * `ignore`: calls that name ids which the user namespace does not have are answered as if they had been done (docs/isolation.md,
   * "Ids that are not there"); `none`: as the kernel answers them.
   */
  readonly idEmulation: 'none' | 'ignore';
  readonly capabilities: CapabilitySets;
  readonly noNewPrivileges: boolean;
  readonly seccomp: 'default' | 'unconfined' | SeccompProfileText;
  readonly apparmorProfile: string | null;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly readonlyRoot: boolean;
  /** Whether /sys and /sys/fs/cgroup can be written. */
  readonly writableSys: boolean;
  /** Nodes besides those that every container has. */
  readonly devices: readonly RequestedDevice[];
  /** Made with mknod(2), or bound from the host where mknod is refused (user namespaces). */
  readonly deviceMethod: 'mknod' | 'bind';
  /** null: not enforced (no right to a devices cgroup). */
  readonly deviceRules: readonly DeviceRule[] | null;
  /** Device nodes that lie in the image or in a mount cannot be opened (MOUNT_ATTR_NODEV): for where no rules can be enforced. */
  readonly nodev: boolean;
  readonly degraded: readonly Degradation[];
}

/**
 * A privilege mode decides how much a container may do, from what was asked for and what the host can give.
 * `plan` is pure: same request, same plan; it starts nothing and touches nothing.
 *
 * @public
 */
export interface PrivilegeMode extends AsyncDisposable {
  /** How files of images are owned on the host: by the ids that the layers say, shifted by a map, or all by this user. */
  readonly ownership: FileOwnership;
  /** What each container of this mode has for itself: so many ids, out of these of the host's. Absent: none. */
  readonly idRange?: IdPool;
  /**
   * Decides what a container may do, of what was asked for.
   *
   * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when the caller asked for what this host or mode cannot give.
   */
  plan(request: IsolationRequest): IsolationPlan;
}

/** Ids of the host, and how many of them a container gets. @public */
export interface IdPool {
  /** The first id. */
  readonly start: number;
  /** Of the pool. */
  readonly size: number;
  /** How many ids each container gets. */
  readonly perContainer: number;
}

/** Whose the files of a container's root are on the host. @public */
export type FileOwnership =
  | { readonly kind: 'same' }
  | { readonly kind: 'mapped'; readonly idMappings: IdMappings }
  | { readonly kind: 'single'; readonly idMappings: IdMappings };
