import { HakoError } from '../base/errors.ts';
import type { Mount } from '../contracts/mount.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import type { ActiveKey, StorageDriver } from '../contracts/storage-driver.ts';
import { parseMountOptions } from './spec/index.ts';

/**
 * Containers' roots mounted on the host as well, for callers who ask for it. Otherwise roots are mounted in the
 * container's own mount namespace only, and go with it: no unmounting, no "device or resource busy".
 */
export class HostMounts {
  readonly #storage: StorageDriver;
  readonly #native: NativeServices;
  readonly #isRoot: boolean;

  constructor(storage: StorageDriver, native: NativeServices, isRoot: boolean) {
    this.#storage = storage;
    this.#native = native;
    this.#isRoot = isRoot;
  }

  /** @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`, as {@link mount} does */
  async check(key: ActiveKey): Promise<void> {
    await this.#target(key);
  }

  /**
   * Mounts a container's root where the storage driver says (MergedDir), and returns how the container gets it from there.
   *
   * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` when the driver has no such place, or mounting takes root.
   */
  async mount(key: ActiveKey, mounts: readonly Mount[]): Promise<readonly Mount[]> {
    const target = await this.#target(key);
    await this.unmount(key);
    for (const { type, source, target: below = '', options } of mounts) {
      const { attributes, data } = parseMountOptions(options);
      await this.#native.mount({
        type,
        source,
        target: below === '' ? target : `${target}/${below}`,
        attributes,
        options: data,
      });
    }
    return [{ type: 'bind', source: target, options: ['rbind'] }];
  }

  /** Where nothing can have been mounted: nothing. */
  async unmount(key: ActiveKey): Promise<void> {
    const { MergedDir } = await this.#storage.describe(key);
    if (MergedDir !== undefined && this.#isRoot) await this.#native.unmount(MergedDir);
  }

  async #target(key: ActiveKey): Promise<string> {
    if (!this.#isRoot)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        "Only root can mount a container's root on the host. Leave out hostMount; a bind mount shares files as well.",
      );
    const { MergedDir } = await this.#storage.describe(key);
    if (MergedDir === undefined)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        'This storage driver has no place for a host mount (MergedDir). Use overlay2, or leave out hostMount.',
      );
    return MergedDir;
  }
}
