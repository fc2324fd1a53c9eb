import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { HostMountRequest, NativeBinding } from '../contracts/native-binding.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { Worker } from './worker.ts';

const firstLockWait = 2;
const longestLockWait = 100;

/**
 * The services for plugins, over the addon and the worker.
 *
 * An ordinary user's containers write files that belong to ids of the user's subordinate range. Only a user namespace
 * that has the range may touch those, so for an ordinary user "no mapping" means `own`.
 */
export class HostFileServices implements NativeServices {
  readonly #binding: NativeBinding;
  readonly #worker: Worker;
  readonly #own: () => Promise<IdMappings | null>;

  /** @param own - the ids that this user may map, for an ordinary user; null for root. Asked when files are first touched. */
  constructor(binding: NativeBinding, worker: Worker, own: () => Promise<IdMappings | null>) {
    this.#binding = binding;
    this.#worker = worker;
    this.#own = own;
  }

  async removeTree(path: string, idMappings: IdMappings | null, options: OperationOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const mappings = idMappings ?? (await this.#own());
    try {
      // In this process, because most trees hold nothing foreign and a process costs more than their removal.
      if (idMappings === null) return await this.#binding.removeTree(path);
    } catch (error) {
      if (mappings === null || !hasHakoCode(error, 'HAKO_ERR_PERMISSION_DENIED')) throw error;
    }
    await this.#worker.removeTree(path, mappings, options);
  }

  async copyTree(
    from: string,
    to: string,
    idMappings: IdMappings | null,
    options: OperationOptions = {},
  ): Promise<void> {
    await this.#worker.copyTree(from, to, idMappings ?? (await this.#own()), options);
  }

  async usage(
    path: string,
    idMappings: IdMappings | null,
    options: OperationOptions = {},
  ): Promise<{ readonly bytes: number; readonly inodes: number }> {
    return this.#worker.usage(path, idMappings ?? (await this.#own()), options);
  }

  async lock(
    path: string,
    options: OperationOptions & { readonly wait?: boolean } = {},
  ): Promise<AsyncDisposable | null> {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      for (
        let pause = firstLockWait;
        !(await this.#binding.lock(fd, false));
        pause = Math.min(pause * 2, longestLockWait)
      ) {
        if (options.wait !== true) {
          closeSync(fd);
          return null;
        }
        await delay(pause, undefined, options.signal === undefined ? {} : { signal: options.signal });
      }
    } catch (error) {
      closeSync(fd);
      options.signal?.throwIfAborted();
      throw error;
    }
    return { [Symbol.asyncDispose]: async () => closeSync(fd) };
  }

  spreadDirectories(directory: string): void {
    this.#binding.spreadDirectories(directory);
  }

  async syncFilesystem(directory: string): Promise<void> {
    const fd = this.#binding.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await this.#binding.syncFilesystem(fd);
    } finally {
      this.#binding.close(fd);
    }
  }

  async setQuota(directories: readonly string[], bytes: number): Promise<void> {
    try {
      await this.#binding.setProjectQuota(directories, BigInt(bytes));
    } catch (error) {
      throw noQuota(directories[0] ?? '', error);
    }
  }

  endQuota(directory: string): Promise<void> {
    return this.#binding.endProjectQuota(directory);
  }

  mount(request: HostMountRequest): Promise<void> {
    return this.#binding.mount(request);
  }

  unmount(target: string): Promise<void> {
    return this.#binding.unmount(target);
  }
}

/** What quotactl(2) and the ioctl say where there are no project quotas, or not for this process. */
const quotaReasons: Readonly<Record<string, string>> = {
  ESRCH: "its filesystem is not mounted with project quotas; mount xfs with 'pquota', ext4 with 'prjquota'",
  ENOSYS: 'its filesystem, or the kernel, has no quotas (CONFIG_QUOTACTL, CONFIG_XFS_QUOTA or CONFIG_QFMT_V2)',
  ENOTTY: 'its filesystem has no projects; xfs has, and ext4 that was made with -O quota,project',
  EOPNOTSUPP: 'its filesystem has no projects; xfs has, and ext4 that was made with -O quota,project',
  EINVAL: 'its filesystem has no project quotas; xfs has, and ext4 that was made with -O quota,project',
  EPERM: 'limiting needs CAP_SYS_ADMIN in the first user namespace',
  EACCES: 'limiting needs CAP_SYS_ADMIN in the first user namespace',
};

function noQuota(directory: string, error: unknown): unknown {
  const reason = error instanceof HakoError && error.errno !== undefined ? quotaReasons[error.errno] : undefined;
  if (reason === undefined) return error;
  return new HakoError('HOST_UNSUPPORTED', `What ${directory} holds cannot be limited: ${reason}.`, { cause: error });
}
