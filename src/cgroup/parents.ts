import type { CgroupHost } from '../contracts/host-info.ts';
import { type CgroupFiles, hasCode, isAbsent, kernelCgroupFiles } from './files.ts';

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
