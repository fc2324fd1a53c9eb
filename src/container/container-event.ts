import type { EventAction, NewEvent } from '../contracts/events.ts';
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
