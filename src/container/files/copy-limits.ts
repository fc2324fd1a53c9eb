import type { ArchiveLimits } from '../../native/worker.ts';

/**
 * Of a copy nothing is to be feared but that it fills the disk, which whoever copies can see for himself. What the worker
 * must hold in memory stays bounded.
 */
export const copyLimits: Partial<ArchiveLimits> = {
  archiveBytes: 2 ** 50,
  fileBytes: 2 ** 50,
  entries: 50_000_000,
};
