import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, hasCode, isAbsent, kernelCgroupFiles } from './files.ts';

/** Why `devices` is missing where groups can be made. */
export const noDeviceRules = 'device rules need CAP_SYS_ADMIN in the first user namespace';

/** hako's group in one hierarchy, or why there is none. */
export interface ParentGroup {
  readonly version: 1 | 2;
  /** null: hako may not make groups here. */
  readonly directory: string | null;
  /** Those that containers' groups in it have. */
  readonly controllers: readonly string[];
  /** Names of its interface files. */
  readonly files: readonly string[];
  /** For each controller that it does not have, and might: why. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * Removes hako's parent groups, if no container's group is in them. Another runtime may want them the next moment: a
 * start that finds none makes them again, with `openCgroups`.
 */
export async function closeCgroups(host: CgroupHost, files: CgroupFiles = kernelCgroupFiles): Promise<void> {
  for (const parent of new Set([
    ...Object.values(host.controllers),
    ...(host.unifiedParent === null ? [] : [host.unifiedParent]),
  ])) {
    try {
      await files.rmdir(parent);
    } catch (error) {
      if (!isAbsent(error) && !['EBUSY', 'ENOTEMPTY', 'EACCES', 'EPERM'].some((code) => hasCode(error, code)))
        throw error;
    }
  }
}
