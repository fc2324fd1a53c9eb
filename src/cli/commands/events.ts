import { once } from 'node:events';
import type { EventFilters, HistoryEvent } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { valueFormat, valuePrinter } from '../output/values.ts';
import { visible } from '../output/visible.ts';
import { parseFilters, parseTime } from '../values.ts';

export const eventsCommand = defineCommand({
  name: 'events',
  summary: 'Tell what happens to containers and images, whoever does it',
  operands: { usage: '', min: 0, max: 0 },
  options: {
    since: { type: 'text', value: 'TIME', help: 'Also what has happened since, such as 10m (ago)' },
    until: { type: 'text', value: 'TIME', help: 'End there' },
    filter: {
      type: 'list',
      value: 'KEY=VALUE',
      help: 'type, event (or action), container, image, label',
    },
    format: { ...valueFormat.format, short: 'f' },
  },

  async run({ values, io, openRuntime }) {
    const print = valuePrinter(values.format) ?? ((event) => line(event as HistoryEvent));
    const { event, action, ...rest } = parseFilters(values.filter, [
      ...(['type', 'event', 'action', 'container', 'image', 'label'] as const),
    ]);
    const actions = [...(event ?? []), ...(action ?? [])];
    const filters = { ...rest, ...(actions.length === 0 ? {} : { action: actions }) } as EventFilters;
    const options = {
      filters,
      ...(values.since === undefined ? {} : { since: parseTime(values.since) }),
      ...(values.until === undefined ? {} : { until: parseTime(values.until) }),
    };
    const runtime = await openRuntime();
    for await (const each of runtime.events(options)) {
      if (!io.stdout.write(print(each))) await once(io.stdout, 'drain');
      if (io.stdout.errored !== null) throw io.stdout.errored;
    }
    return 0;
  },
});

/** As `docker events` prints them. */
function line({ time, type, action, id, name, image, labels, attributes }: HistoryEvent): string {
  const told = Object.entries({ ...labels, ...attributes, ...(image === '' ? {} : { image }), name })
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
  return `${time.toISOString()} ${type} ${action} ${id} ${visible(`(${told})`)}\n`;
}
