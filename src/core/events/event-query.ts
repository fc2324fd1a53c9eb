import { z } from 'zod';
import { hasLabel } from '../../base/label-filter.ts';
import { operationOptions } from '../../container/call-options.ts';
import { oneOrMore } from '../../container/option-parts.ts';
import { parseOptions } from '../../container/options.ts';
import type { EventAction, HistoryEvent } from '../../contracts/events.ts';
import type { OperationOptions } from '../../contracts/operation.ts';

/** One or several: an event that has any of them passes. */
type OneOrMore<T extends string> = T | readonly T[];

/** Which events to tell of; each that is given must hold. @public */
export interface EventFilters {
  readonly type?: OneOrMore<HistoryEvent['type']>;
  readonly action?: OneOrMore<EventAction>;
  /** By name, ID, or the beginning of an ID. */
  readonly container?: OneOrMore<string>;
  /** Of images, and of containers of them; by reference, ID, or the beginning of an ID. */
  readonly image?: OneOrMore<string>;
  /** `'key'` or `'key=value'`. Of several, an event must have all. */
  readonly label?: OneOrMore<string>;
}

/** Which part of a root's history to tell. @public */
export interface EventsOptions extends OperationOptions {
  /** Also what has happened from this time on, as far as the root remembers. */
  readonly since?: Date;
  /** Ends with what has happened until then; waits for it when it is to come. Without `since`: from the beginning. */
  readonly until?: Date;
  readonly filters?: EventFilters;
}

const words = oneOrMore(z.string()).optional();

const schema = z.strictObject({
  ...operationOptions,
  since: z.date().optional(),
  until: z.date().optional(),
  filters: z.strictObject({ type: words, action: words, container: words, image: words, label: words }).default({}),
});

export type ParsedEventsOptions = z.output<typeof schema>;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseEventsOptions(options: EventsOptions): ParsedEventsOptions {
  return parseOptions(schema, options, 'events');
}

export function matchesEvent(event: HistoryEvent, filters: ParsedEventsOptions['filters']): boolean {
  const { type, action, container, image, label } = filters;
  return (
    (type?.includes(event.type) ?? true) &&
    (action?.includes(event.action) ?? true) &&
    (container?.some((name) => event.type === 'container' && isNamed(event, name)) ?? true) &&
    (image?.some((name) => (event.type === 'image' ? isNamed(event, name) : event.image === name)) ?? true) &&
    (label?.every((wanted) => hasLabel(event.labels, wanted)) ?? true)
  );
}

function isNamed({ id, name }: HistoryEvent, wanted: string): boolean {
  return wanted !== '' && (name === wanted || id.startsWith(wanted) || id.startsWith(`sha256:${wanted}`));
}
