import { hasLabel } from '../../base/label-filter.ts';
import type { ContainerSummary } from '../inspection.ts';
import type { ContainerRecord } from '../record.ts';
import { optionsOf } from '../record-options.ts';
import type { ParsedListOptions, ParsedPruneOptions } from './list-options.ts';

/** A filter's bounds in time, which other containers set: milliseconds since the epoch. */
export interface Bounds {
  readonly before: number;
  readonly since: number;
}

const live: readonly string[] = ['running', 'paused', 'restarting'];
const ended: readonly string[] = ['exited', 'restarting'];

/** What a record alone tells; it is asked before the kernel is asked how the container does. */
export function matchesRecord(
  record: ContainerRecord,
  { id, name, ancestor, volume }: ParsedListOptions['filters'],
  { before, since }: Bounds,
): boolean {
  const { image } = record;
  const createdAt = Date.parse(record.createdAt);
  return (
    createdAt < before &&
    createdAt > since &&
    (id?.some((start) => record.id.startsWith(start)) ?? true) &&
    (name?.some((pattern) => pattern.test(record.name)) ?? true) &&
    (ancestor?.some(
      (wanted) =>
        wanted !== '' &&
        (image.name === wanted || image.id.startsWith(wanted) || image.id.startsWith(`sha256:${wanted}`)),
    ) ??
      true) &&
    (volume?.some((path) => hasMount(record, path)) ?? true)
  );
}

/** Docker shows all when it is asked for a state that only containers at rest have. */
export function matchesSummary(summary: ContainerSummary, { all, filters }: ParsedListOptions): boolean {
  const { status, exited, health, label } = filters;
  const { state } = summary;
  const asksForRest = all || status !== undefined || exited !== undefined;
  return (
    (asksForRest || live.includes(state.status)) &&
    (status?.includes(state.status) ?? true) &&
    (exited === undefined ||
      (ended.includes(state.status) && 'exitCode' in state && exited.includes(state.exitCode))) &&
    (health?.includes(summary.health ?? 'none') ?? true) &&
    (label?.every((wanted) => hasLabel(summary.labels, wanted)) ?? true)
  );
}

/** Whether a container goes when those at rest are removed. */
export function isPrunable(
  { state, createdAt, labels }: ContainerSummary,
  filters: ParsedPruneOptions['filters'],
): boolean {
  const { until, label, 'label!': without } = filters;
  return (
    (state.status === 'created' || state.status === 'exited' || state.status === 'lost') &&
    (until === undefined || createdAt < until) &&
    (label?.every((wanted) => hasLabel(labels, wanted)) ?? true) &&
    !(without?.some((unwanted) => hasLabel(labels, unwanted)) ?? false)
  );
}

function hasMount(record: ContainerRecord, path: string): boolean {
  return optionsOf(record).mounts.some(
    (mount) => mount.target === path || ('source' in mount && mount.source === path),
  );
}
