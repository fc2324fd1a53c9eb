import { HakoError } from '../base/errors.ts';
import { kernelIsAtLeast } from '../base/kernel-release.ts';
import type { Mount } from '../contracts/mount.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { noIdmappedMounts } from '../native/failure.ts';
import { shiftedDirectory } from './spec/index.ts';

/** Knows whether the kernel shifts the ids of containers' roots where the storage driver keeps them. */
export class ShiftedRoots {
  readonly #native: Pick<NativeBinding, 'tryIdmappedMount'>;
  readonly #kernel: string;
  /** By what is shifted. A driver keeps all of its own on one filesystem. */
  readonly #tried = new Map<'layers' | 'tree', Promise<void>>();

  /** @param kernel - its release */
  constructor(native: Pick<NativeBinding, 'tryIdmappedMount'>, kernel: string) {
    this.#native = native;
    this.#kernel = kernel;
  }

  /** @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` for what a start would fail by */
  async check(mounts: readonly Mount[]): Promise<void> {
    const { directory, isLayers } = shiftedDirectory(mounts);
    const kind = isLayers ? 'layers' : 'tree';
    let tried = this.#tried.get(kind);
    if (tried === undefined) {
      tried = this.#try(directory, isLayers);
      this.#tried.set(kind, tried);
      // What failed for want of memory or processes may not fail again.
      tried.catch(() => this.#tried.delete(kind));
    }
    await tried;
  }

  async #try(directory: string, isLayers: boolean): Promise<void> {
    // Before, overlayfs took any option, and refused layers that are named one by one only when it was mounted.
    if (isLayers && !kernelIsAtLeast(this.#kernel, '6.5')) throw unsupported(directory, 'ENOSYS');
    try {
      await this.#native.tryIdmappedMount(directory, isLayers);
    } catch (error) {
      if (!(error instanceof HakoError) || !noSupport.has(error.errno ?? '')) throw error;
      throw unsupported(directory, error.errno ?? '', error);
    }
  }
}

/** What the calls say where the filesystem or the kernel has no such mounts, or this process may not make them. */
const noSupport = new Set(['EINVAL', 'EPERM', 'ENOSYS', 'EOPNOTSUPP']);

function unsupported(directory: string, errno: string, cause?: HakoError): HakoError {
  return new HakoError(
    'HOST_UNSUPPORTED',
    `${noIdmappedMounts.words}, in ${directory} (${errno}). ${noIdmappedMounts.remedy}`,
    { errno, operation: 'idmapped-mount', path: directory, ...(cause === undefined ? {} : { cause }) },
  );
}
