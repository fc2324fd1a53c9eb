import type { EventAction, ExitResult, HistoryEvent, NewEvent } from '../contracts/events.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';

/** What a root's history keeps of something that was done to a container. */
export function containerEvent(
  record: ContainerRecord,
  action: EventAction,
  attributes: Readonly<Record<string, string>> = {},
): NewEvent {
  return {
    type: 'container',
    action,
    id: record.id,
    name: record.name,
    image: record.image.name,
    labels: { ...record.imageDefaults.labels, ...optionsOf(record).labels },
    attributes,
  };
}

/** The end that a `die` tells of; null: how it ended is not known. */
export function exitOfEvent({
  exitCode,
  signal,
  oomKilled,
  finishedAt = '',
}: HistoryEvent['attributes']): ExitResult | null {
  if (exitCode === undefined) return null;
  return {
    exitCode: Number(exitCode),
    signal: signal === '0' ? null : Number(signal),
    oomKilled: oomKilled === '1',
    finishedAt: new Date(finishedAt),
  };
}
