import { statFields } from '../../base/proc-stat.ts';
import type { HostFiles } from '../../host/files.ts';

/** The processes below one, in the order of their pids; a supervisor reaps all of its container, so these are all there are. */
export function descendants(files: HostFiles, root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const entry of files.list('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = files.read(`/proc/${entry}/stat`);
    const parent = Number(stat === null ? undefined : statFields(stat)(4));
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [Number(entry)]);
    else siblings.push(Number(entry));
  }
  const found: number[] = [];
  for (let level = children.get(root) ?? []; level.length > 0; level = level.flatMap((pid) => children.get(pid) ?? []))
    found.push(...level);
  return found.toSorted((one, other) => one - other);
}
