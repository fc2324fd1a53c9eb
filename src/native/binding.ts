import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import type {
  ExitStatus,
  HostMountRequest,
  KernelProbe,
  NativeBinding,
  ProbeAnswer,
  SpawnedProcess,
  SpawnRequest,
} from '../contracts/native-binding.ts';
import { describeErrno, errnoName } from './errno.ts';
import type { NativeFiles } from './loader.ts';
import { toHakoError } from './syscall-error.ts';
import { userNamespaceRemedy } from './user-namespace-knobs.ts';

/** The addon as it is: positional arguments, errors with an errno. */
interface Addon {
  sealExecutable(path: string): Promise<number>;
  spawn(
    executable: number,
    argv: readonly string[],
    stdio: readonly (number | null)[],
    fds: readonly number[],
  ): Promise<SpawnedProcess>;
  tryReap(pidfd: number): ExitStatus | null;
  socketPair(): [number, number];
  receiveDescriptor(socket: number): number;
  pipe(): [number, number];
  open(path: string, flags: number): number;
  close(fd: number): void;
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): void;
  tryLock(fd: number, shared: boolean): Promise<boolean>;
  isLocked(path: string): boolean;
  spreadDirectories(path: string): void;
  syncFilesystem(fd: number): Promise<void>;
  removeTree(path: string): Promise<void>;
  readFileInRoot(root: string, path: string, limit: number): Promise<Uint8Array | null>;
  readKernelFiles(paths: readonly string[]): Promise<Uint8Array>;
  setProjectQuota(directories: readonly string[], bytes: bigint): Promise<void>;
  endProjectQuota(directory: string): Promise<void>;
  tryIdmappedMount(directory: string, layers: boolean): Promise<void>;
  compileSeccomp(rules: Uint8Array): Uint8Array;
  mount(request: HostMountRequest): Promise<void>;
  unmount(target: string): Promise<void>;
  probe(): Promise<AddonProbe>;
}

/** `errno` 0: it works. `step` is where it failed. */
interface AddonAnswer {
  readonly errno: number;
  readonly step: string;
}

type AddonProbe = {
  readonly [Key in keyof KernelProbe]: KernelProbe[Key] extends ProbeAnswer ? AddonAnswer : KernelProbe[Key];
};

const FIRST_LOCK_WAIT_MS = 2;
const LONGEST_LOCK_WAIT_MS = 100;
const FIRST_REAP_WAIT_MS = 1;
const LONGEST_REAP_WAIT_MS = 1000;
const REAP_PATIENCE_MS = 5000;
const LARGEST_READ = 0x7fff_ffff;

/**
 * Loads `hako.node`. Loading it again, or in another thread, gives another binding; they share nothing.
 *
 * @throws HakoError `HAKO_ERR_NATIVE_NOT_FOUND` when the file is not an addon that this node can load.
 */
export function loadNativeBinding(files: NativeFiles): NativeBinding {
  let addon: Addon;
  try {
    addon = createRequire(files.addon)(files.addon) as Addon;
  } catch (error) {
    throw new HakoError(
      'NATIVE_NOT_FOUND',
      `'${files.addon}' cannot be loaded: ${(error as Error).message}. Install libhako again on this machine, or run \`npm run build:native\` in a clone.`,
      {
        path: files.addon,
        cause: error,
      },
    );
  }
  return new AddonBinding(addon, files.directory);
}

class AddonBinding implements NativeBinding {
  readonly directory: string;
  readonly #addon: Addon;

  constructor(addon: Addon, directory: string) {
    this.#addon = addon;
    this.directory = directory;
  }

  sealExecutable(path: string): Promise<number> {
    return later(() => this.#addon.sealExecutable(checkedText(path, 'path of a program')));
  }

  async spawn(request: SpawnRequest): Promise<SpawnedProcess> {
    if (request.argv.length === 0)
      throw new HakoError('INVALID_OPTION', 'A program needs at least its own name as argument; argv is empty.');
    for (const argument of request.argv) checkedText(argument, 'argument of a program');
    return later(() =>
      this.#addon.spawn(request.executable, request.argv, request.stdio ?? [null, null, null], request.fds),
    );
  }

  async reap(child: SpawnedProcess, isEnding = true): Promise<ExitStatus> {
    // Asked for when the child has hung up, so that it is there at once or within a millisecond or two. One that lives
    // on (a detached container's, of a runtime that was closed) is asked again and again, without keeping node alive.
    const asked = performance.now();
    for (let pause = FIRST_REAP_WAIT_MS; ; pause = Math.min(pause * 2, LONGEST_REAP_WAIT_MS)) {
      const status = now(() => this.#addon.tryReap(child.pidfd));
      if (status !== null) return status;
      await delay(pause, undefined, { ref: isEnding && performance.now() - asked < REAP_PATIENCE_MS });
    }
  }

  socketPair(): readonly [number, number] {
    return now(() => this.#addon.socketPair());
  }

  receiveDescriptor(socket: number): number {
    return now(() => this.#addon.receiveDescriptor(socket));
  }

  pipe(): readonly [number, number] {
    return now(() => this.#addon.pipe());
  }

  open(path: string, flags: number): number {
    return now(() => this.#addon.open(checkedText(path, 'path'), flags));
  }

  close(fd: number): void {
    now(() => this.#addon.close(fd));
  }

  pidfdOpen(pid: number): number {
    return now(() => this.#addon.pidfdOpen(pid));
  }

  pidfdSendSignal(pidfd: number, signal: number): void {
    now(() => this.#addon.pidfdSendSignal(pidfd, signal));
  }

  // Asks again and again instead of waiting in the kernel: whoever holds the lock may be in this very process, and
  // four threads of the pool that wait for it would leave it none to do what it needs before letting go.
  async lock(fd: number, wait: boolean, kind: 'exclusive' | 'shared' = 'exclusive'): Promise<boolean> {
    for (let pause = FIRST_LOCK_WAIT_MS; ; pause = Math.min(pause * 2, LONGEST_LOCK_WAIT_MS)) {
      const taken = await later(() => this.#addon.tryLock(fd, kind === 'shared'));
      if (taken || !wait) return taken;
      await delay(pause);
    }
  }

  isLocked(path: string): boolean {
    return now(() => this.#addon.isLocked(checkedText(path, 'path')));
  }

  spreadDirectories(path: string): void {
    now(() => this.#addon.spreadDirectories(checkedText(path, 'path')));
  }

  syncFilesystem(fd: number): Promise<void> {
    return later(() => this.#addon.syncFilesystem(fd));
  }

  removeTree(path: string): Promise<void> {
    return later(() => this.#addon.removeTree(checkedText(path, 'path')));
  }

  async readFileInRoot(root: string, path: string, limit: number): Promise<Uint8Array | null> {
    if (!Number.isInteger(limit) || limit < 0 || limit > LARGEST_READ)
      throw new HakoError('INVALID_OPTION', `The limit of a file's size cannot be ${limit} bytes.`);
    return later(() => this.#addon.readFileInRoot(checkedText(root, 'root'), checkedText(path, 'path'), limit));
  }

  async readKernelFiles(paths: readonly string[]): Promise<readonly (string | null)[]> {
    for (const path of paths) checkedText(path, 'path');
    return cutFiles(await later(() => this.#addon.readKernelFiles(paths)));
  }

  async setProjectQuota(directories: readonly string[], bytes: bigint): Promise<void> {
    for (const directory of directories) checkedText(directory, 'directory');
    return later(() => this.#addon.setProjectQuota(directories, bytes));
  }

  endProjectQuota(directory: string): Promise<void> {
    return later(() => this.#addon.endProjectQuota(checkedText(directory, 'directory')));
  }

  tryIdmappedMount(directory: string, layers: boolean): Promise<void> {
    return later(() => this.#addon.tryIdmappedMount(checkedText(directory, 'directory'), layers));
  }

  compileSeccomp(rules: Uint8Array): Uint8Array {
    return now(() => this.#addon.compileSeccomp(rules));
  }

  async mount(request: HostMountRequest): Promise<void> {
    for (const text of [request.type, request.source, request.target, ...request.options.flat()])
      checkedText(text, 'mount');
    return later(() => this.#addon.mount(request));
  }

  unmount(target: string): Promise<void> {
    return later(() => this.#addon.unmount(checkedText(target, 'mount point')));
  }

  async probe(): Promise<KernelProbe> {
    const found = await later(() => this.#addon.probe());
    const userNamespace = answer(found.userNamespace, 'A user namespace cannot be made', userNamespaceRemedy);
    return {
      release: found.release,
      landlockVersion: found.landlockVersion,
      clone3: answer(found.clone3, 'clone3(2) cannot be used', oldKernel),
      openat2: answer(found.openat2, 'openat2(2) cannot be used', oldKernel),
      mountApi: answer(found.mountApi, 'Nothing can be mounted by fsopen(2), fsmount(2) and move_mount(2)', oldKernel),
      userNamespace,
      overlayInUserNamespace: userNamespace.ok
        ? answer(
            found.overlayInUserNamespace,
            'Overlay cannot be mounted in a user namespace',
            () => 'That takes Linux 5.11 or later with the overlay module loaded.',
          )
        : userNamespace,
      seccompFilter: answer(
        found.seccompFilter,
        'The kernel has no seccomp filters',
        () => 'They take a kernel with CONFIG_SECCOMP_FILTER.',
      ),
      timeNamespace: answer(
        found.timeNamespace,
        'A time namespace cannot be made',
        () => 'That takes Linux 5.6 or later with CONFIG_TIME_NS.',
      ),
      cgroupNamespace: answer(
        found.cgroupNamespace,
        'A cgroup namespace cannot be made',
        () => 'That takes a kernel with CONFIG_CGROUPS.',
      ),
      pidfd: answer(found.pidfd, 'pidfd_open(2) cannot be used', oldKernel),
    };
  }
}

function oldKernel(): string {
  return 'hako needs Linux 5.12 or later; in a container, its seccomp filter may hide the call.';
}

function answer(found: AddonAnswer, what: string, remedy: () => string): ProbeAnswer {
  if (found.errno === 0) return { ok: true };
  const errno = errnoName(found.errno);
  return { ok: false, errno, reason: `${what}: ${found.step}: ${describeErrno(errno)}. ${remedy()}` };
}

function checkedText(text: string, what: string): string {
  if (text.includes('\0'))
    throw new HakoError(
      'INVALID_OPTION',
      `The ${what} holds a NUL character, which the kernel would take for its end; leave it out.`,
    );
  return text;
}

function now<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toHakoError(error);
  }
}

async function later<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toHakoError(error);
  }
}

const ABSENT = 0xffff_ffff;

/** Each is its length, in the order of all machines that hako runs on, and its text; a length that cannot be stands for none. */
function cutFiles(bytes: Uint8Array): readonly (string | null)[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: (string | null)[] = [];
  for (let at = 0; at < buffer.length; ) {
    const length = buffer.readUInt32LE(at);
    at += 4;
    texts.push(length === ABSENT ? null : buffer.toString('latin1', at, at + length));
    if (length !== ABSENT) at += length;
  }
  return texts;
}
