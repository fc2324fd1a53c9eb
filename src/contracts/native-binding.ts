/**
 * The seam to the kernel: every system call that hako's own process makes goes through this interface, so that
 * a test can stand in for it, or fail its k-th call. The real one is `hako.node` (native/addon); `src/native`
 * loads it and turns a failure into a `HakoError`.
 *
 * File descriptors are plain numbers owned by whoever got them; all are close-on-exec. Methods that return a
 * promise run on libuv's thread pool; the others are known to be quick.
 */
export interface NativeBinding {
  /** Where the addon was loaded from, and the supervisor and worker beside it. */
  readonly directory: string;

  /**
   * Copies a program into a sealed memfd, from which it is run ever after: what runs cannot be changed, not even
   * by a container that gets hold of `/proc/<pid>/exe` (CVE-2019-5736).
   */
  sealExecutable(path: string): Promise<number>;

  /**
   * Starts a program from a descriptor, by posix_spawn(3): no copy of Node's address space. `fds[i]` becomes
   * descriptor `3 + i` of the child; 0, 1, 2 are `stdio` or /dev/null; nothing else is inherited. The child is a
   * session leader with default signal dispositions and an empty mask.
   */
  spawn(request: SpawnRequest): Promise<SpawnedProcess>;

  /**
   * Waits for a child made by `spawn` (waitid(2)) and closes its pidfd. To be called once, when the child is about to end.
   *
   * @param isEnding - false for one that will rather live on: waiting for it does not keep node alive
   */
  reap(child: SpawnedProcess, isEnding?: boolean): Promise<ExitStatus>;

  /** socketpair(2), AF_UNIX, SOCK_STREAM. */
  socketPair(): readonly [number, number];
  /**
   * A descriptor that was sent over a unix socket (SCM_RIGHTS) and has come already.
   *
   * @throws HakoError with errno `EAGAIN` when none has
   */
  receiveDescriptor(socket: number): number;
  /** pipe2(2): [read end, write end]. */
  pipe(): readonly [number, number];
  /** open(2) with the given O_* flags, O_CLOEXEC added: directories, namespaces, O_PATH handles of hako's own files. */
  open(path: string, flags: number): number;
  close(fd: number): void;

  /** pidfd_open(2). Throws ESRCH as HAKO_ERR_SYSCALL_FAILED with errno. */
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): void;

  /** flock(2), waiting or not; resolves to false when it would have had to wait. The lock goes with the descriptor. */
  lock(fd: number, wait: boolean, kind?: 'exclusive' | 'shared'): Promise<boolean>;
  /**
   * Whether somebody holds flock(2) LOCK_EX of a file or directory; one that is not there, nobody does.
   *
   * @throws HakoError `HAKO_ERR_SYSCALL_FAILED` when that cannot be told, as for want of descriptors
   */
  isLocked(path: string): boolean;
  /** syncfs(2): all that was written to the filesystem that `fd` lies on is on disk. */
  /** See {@link NativeServices.spreadDirectories}. */
  spreadDirectories(path: string): void;
  syncFilesystem(fd: number): Promise<void>;

  /** Removes a directory tree through descriptors, following no link and crossing no mount. A tree that is not there is fine. */
  removeTree(path: string): Promise<void>;

  /**
   * Reads a small regular file below `root`, resolved with openat2(2) RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS.
   * Resolves to null when it is not there; fails when it is not a regular file or larger than `limit` bytes.
   */
  readFileInRoot(root: string, path: string, limit: number): Promise<Uint8Array | null>;

  /**
   * Reads small files of procfs and cgroupfs, up to 1 MiB of each, all in one trip to the thread pool. null: one that is
   * not there, not to be read, or switched off (EOPNOTSUPP).
   */
  readKernelFiles(paths: readonly string[]): Promise<readonly (string | null)[]>;

  /**
   * Makes a project of directories of one filesystem (quotactl(2)) that may hold so many bytes together, with all that is
   * made in them from now on.
   */
  setProjectQuota(directories: readonly string[], bytes: bigint): Promise<void>;
  /** Takes the limit of the project away that a directory belongs to; one that belongs to none is fine. */
  endProjectQuota(directory: string): Promise<void>;

  /**
   * Tries whether a mount can shift the ids of what is in a directory (mount_setattr(2), "ID-mapped mounts").
   *
   * @param layers - and whether overlayfs can be given what is shifted so as layers
   */
  tryIdmappedMount(directory: string, layers: boolean): Promise<void>;

  /** Builds a classic BPF program (struct sock_filter[]) from resolved rules; see native/seccomp/compile.h for the input's form. */
  compileSeccomp(rules: Uint8Array): Uint8Array;

  /** Mounts on the host, for callers who ask for a host mount: fsopen(2) … move_mount(2) at `target`. */
  mount(request: HostMountRequest): Promise<void>;
  /** umount2(2) with MNT_DETACH; a target that is not a mount point is fine. */
  unmount(target: string): Promise<void>;

  /** What this kernel lets this process do, found out by trying; see {@link KernelProbe}. Takes some milliseconds. */
  probe(): Promise<KernelProbe>;
}

export interface SpawnRequest {
  /** Descriptor of the program, from {@link NativeBinding.sealExecutable}. */
  readonly executable: number;
  readonly argv: readonly string[];
  /** Descriptors for the child's 3, 4, 5 … They stay open here; the caller closes them. */
  readonly fds: readonly number[];
  /** Descriptors for 0, 1 and 2; null: /dev/null. */
  readonly stdio?: readonly [number | null, number | null, number | null];
}

export interface SpawnedProcess {
  readonly pid: number;
  /** proc_pid_stat(5) field 22; empty when /proc does not tell. */
  readonly startTicks: string;
  readonly pidfd: number;
}

export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: number | null;
}

export interface HostMountRequest {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  /** MOUNT_ATTR_* of mount_setattr(2). */
  readonly attributes: bigint;
  /** In order; an empty value is a flag. */
  readonly options: readonly (readonly [key: string, value: string])[];
}

/** Each value is `true`, or the errno name and a short reason why not. */
export interface KernelProbe {
  readonly release: string;
  readonly clone3: ProbeAnswer;
  readonly openat2: ProbeAnswer;
  /** fsopen, fsmount, move_mount, open_tree, mount_setattr. */
  readonly mountApi: ProbeAnswer;
  /** May this process make a user namespace and write a one-id map for it? Found out by doing it in a child. */
  readonly userNamespace: ProbeAnswer;
  /** Overlay in a user namespace with `userxattr`. */
  readonly overlayInUserNamespace: ProbeAnswer;
  readonly seccompFilter: ProbeAnswer;
  readonly timeNamespace: ProbeAnswer;
  readonly cgroupNamespace: ProbeAnswer;
  readonly landlockVersion: number;
  readonly pidfd: ProbeAnswer;
}

export type ProbeAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly errno: string; readonly reason: string };
