import type { ContainerId } from '../base/ids.ts';
import type { SubordinateRange } from '../contracts/host-info.ts';
import type { IdRange } from '../contracts/isolation.ts';
import type { IdPool } from '../contracts/privilege-mode.ts';

/** Who has which ids, on one root; every method is one transaction. */
export interface IdRangeRepository {
  find(id: ContainerId): IdRange | null;
  /**
   * Takes the lowest ids of the pool that no other container has, and no range in `others`. They are free again when the
   * container's record is deleted.
   *
   * @throws HakoError `HAKO_ERR_IDS_EXHAUSTED`
   */
  allocate(id: ContainerId, pool: IdPool, others: readonly SubordinateRange[]): IdRange;
}

/** The lowest place in the pool, on a multiple of what a container gets, that overlaps with none of `taken`; null: none. */
export function firstFree({ start, size, perContainer }: IdPool, taken: readonly SubordinateRange[]): IdRange | null {
  const sorted = [...taken].sort((one, other) => one.start - other.start);
  let at = start;
  for (const range of sorted) {
    if (range.start >= at + perContainer) break;
    const end = range.start + range.size;
    if (end > at) at = start + Math.ceil((end - start) / perContainer) * perContainer;
  }
  return at + perContainer <= start + size ? { start: at, size: perContainer } : null;
}
