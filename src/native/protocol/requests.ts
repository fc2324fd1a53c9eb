/**
 * What is asked of a supervisor, field by field as native/protocol.h lists it. Paths of setup operations are
 * inside the root being built, unless a field says that it is the host's.
 */

/** Which of a process's streams a session takes part in. */
export interface AttachStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface StartRequest {
  /** Set up all but the program, and wait to be told that: the process's `argv`, `env` and `cwd` are left out. */
  readonly wait: boolean;
  /** Outlive the owner's session. */
  readonly detached: boolean;
  /** fsync(2) the exit record. */
  readonly durable: boolean;
  /** The process has a stdin; otherwise it reads /dev/null. */
  readonly stdin: boolean;
  /** Close stdin when the first attached session that feeds it ends. */
  readonly stdinOnce: boolean;
  /** What the owner's session receives. */
  readonly attach: AttachStreams;
  /** Shown by ps(1) for the supervisor. */
  readonly title: string;
  /** CLONE_NEW* of the namespaces to make. */
  readonly unshare: number;
  /** Namespaces to enter, by index into the extra descriptors that the supervisor was spawned with. */
  readonly join: readonly NamespaceJoin[];
  readonly idMap: IdMapRequest;
  /** Run in order by the supervisor. */
  readonly cgroup: readonly CgroupStep[];
  /** A file of "key count" lines; a count that grew by the exit means an OOM kill. null: OOM is not told apart. */
  readonly oom: { readonly file: string; readonly key: string } | null;
  /** Empty: left as it is. */
  readonly hostname: string;
  /** Empty: left as it is. */
  readonly domainname: string;
  /** Run in order by the container's first process. */
  readonly setup: readonly SetupOperation[];
  readonly process: ProcessRequest;
  readonly sink: SinkRequest;
}

/** What a container that waits is to run. */
export interface GoRequest extends Pick<ProcessRequest, 'argv' | 'env' | 'cwd'> {
  /** The stdin that was asked for at the start is wanted; otherwise the process reads /dev/null. */
  readonly stdin: boolean;
}

export interface ExecRequest {
  /** By which others may attach; at most 64 bytes. */
  readonly id: string;
  /** Outlive the session. */
  readonly detached: boolean;
  readonly stdin: boolean;
  readonly attach: AttachStreams;
  /** Directories of control groups to join. */
  readonly cgroups: readonly string[];
  readonly process: ProcessRequest;
}

export interface NamespaceJoin {
  /** CLONE_NEW* of the namespace. */
  readonly kind: number;
  readonly index: number;
}

/** The maps are lines as in user_namespaces(7). */
export type IdMapRequest =
  | { readonly method: 'none' }
  | { readonly method: 'direct'; readonly uidMap: string; readonly gidMap: string; readonly denySetgroups: boolean }
  | {
      readonly method: 'helpers';
      readonly uidMap: string;
      readonly gidMap: string;
      readonly denySetgroups: boolean;
      /** Paths of the set-uid programs, on the host. */
      readonly newuidmap: string;
      readonly newgidmap: string;
    };

/** Paths are the host's. */
export type CgroupStep =
  /** Made here, and removed when the container has ended. */
  | { readonly kind: 'mkdir'; readonly path: string }
  /** One write(2) of the value. */
  | { readonly kind: 'write'; readonly path: string; readonly value: string | Uint8Array }
  /** The first process enters by cgroup.procs. */
  | { readonly kind: 'join'; readonly directory: string }
  /** The first process is born there (v2, CLONE_INTO_CGROUP). */
  | { readonly kind: 'into'; readonly directory: string }
  /** `program` is struct bpf_insn[], attached as BPF_CGROUP_DEVICE (v2). */
  | { readonly kind: 'devices'; readonly directory: string; readonly program: Uint8Array };

/** What becomes of a mount's target that is not there, and whether it may be a symbolic link. */
export interface TargetPolicy {
  /** Make it when it is absent; `like-source`: as a file or a directory, whichever the source is; null: it must be there. */
  readonly create: 'file' | 'directory' | 'like-source' | null;
  /** A symbolic link as last component is an error. */
  readonly noFollow: boolean;
}

export type SetupOperation =
  /** MS_* of "/" (recursive), before anything is mounted. */
  | { readonly kind: 'propagation'; readonly propagation: bigint }
  | {
      readonly kind: 'mount';
      readonly type: string;
      readonly source: string;
      readonly path: string;
      /** MOUNT_ATTR_*. */
      readonly attributes: bigint;
      /** In order; an empty value is a flag. */
      readonly options: readonly (readonly [key: string, value: string])[];
      readonly target: TargetPolicy;
    }
  | {
      readonly kind: 'bind';
      readonly hostPath: string;
      readonly path: string;
      /** MOUNT_ATTR_* to set, and to clear. */
      readonly set: bigint;
      readonly clear: bigint;
      /** MS_*; 0n: left as it is. */
      readonly propagation: bigint;
      readonly target: TargetPolicy;
      readonly recursive: boolean;
      /** A source that is absent is passed over. */
      readonly optional: boolean;
      /** The source must be a device node. */
      readonly device: boolean;
      /**
       * `host`: the source is opened with the supervisor's rights, not with those of the user namespace's root; `idmapped`:
       * and its ids are shifted by the container's id map.
       */
      readonly opened: 'inside' | 'host' | 'idmapped';
    }
  /** The directory of the host from which relative paths of the layers lead; opened and shifted as an `idmapped` bind is. */
  | { readonly kind: 'layers'; readonly hostPath: string }
  | { readonly kind: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string; readonly path: string }
  /** `mode` has the file's type (S_IF*) and permission bits. */
  | {
      readonly kind: 'mknod';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly kind: 'pivot' }
  | { readonly kind: 'mask'; readonly path: string }
  | { readonly kind: 'readonly'; readonly path: string }
  | { readonly kind: 'sysctl'; readonly name: string; readonly value: string }
  /** Only with a process that has a tty. */
  | { readonly kind: 'console' }
  | { readonly kind: 'loopback' }
  /** MOUNT_ATTR_* for one of the mounts that make up the root, and for none below it; after all else. */
  | { readonly kind: 'root-attributes'; readonly path: string; readonly attributes: bigint };

export interface TerminalSize {
  /** At most 65,535. */
  readonly rows: number;
  /** At most 65,535. */
  readonly columns: number;
}

/** Bit masks of capabilities(7), bit n for capability n. */
export interface CapabilityMasks {
  readonly bounding: bigint;
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

export interface ResourceLimit {
  /** RLIMIT_* of getrlimit(2). */
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

export interface ProcessRequest {
  readonly argv: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** As the image or the caller wrote it: "", "1000", "app", "app:grp", "1000:100"; resolved inside the container. */
  readonly user: string;
  readonly additionalGroups: readonly string[];
  readonly tty: boolean;
  readonly noNewPrivileges: boolean;
  /** Only at a start: process 1 stays hako's, forwards signals and reaps; the program is its child. */
  readonly init: boolean;
  /** Make the working directory when it is not there. */
  readonly createCwd: boolean;
  readonly capabilities: CapabilityMasks;
  readonly umask: number;
  readonly rlimits: readonly ResourceLimit[];
  /** null: left as it is. */
  readonly oomScoreAdj: number | null;
  /** `program` is struct sock_filter[]; null: no filter. `flags` are seccomp(2)'s SECCOMP_FILTER_FLAG_*. */
  readonly seccomp: { readonly program: Uint8Array; readonly flags: number } | null;
  /** struct sock_filter[] whose calls to SECCOMP_RET_USER_NOTIF the supervisor answers; null: ids are not emulated. */
  readonly idEmulation: Uint8Array | null;
  /** Empty: unconfined. */
  readonly apparmorProfile: string;
  readonly terminalSize: TerminalSize;
}

export type SinkRequest =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'json-file';
      readonly file: string;
      /** Bytes; 0: no limit. */
      readonly maxSize: number;
      readonly maxFiles: number;
      readonly compress: boolean;
      /** The text of a JSON object, or empty. */
      readonly attributes: string;
    }
  | {
      readonly kind: 'journal';
      readonly file: string;
      /** Bytes. */
      readonly capacity: number;
      /** A full journal slows the container down; otherwise records are dropped and counted. */
      readonly blocking: boolean;
    };
