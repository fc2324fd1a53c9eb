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

  constructor(storage: StorageDriver, native: NativeServices) {
    this.#storage = storage;
    this.#native = native;
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

  async unmount(key: ActiveKey): Promise<void> {
    await this.#native.unmount(await this.#target(key));
  }

  async #target(key: ActiveKey): Promise<string> {
    const { MergedDir } = await this.#storage.describe(key);
    if (MergedDir === undefined)
      throw new HakoError(
        'HOST_UNSUPPORTED',
        'This storage driver has no place for a host mount (MergedDir). Use overlay2, or leave out hostMount.',
      );
    return MergedDir;
  }
}
