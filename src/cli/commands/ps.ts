import type { ContainerFilters, ContainerState, ContainerSummary } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { type ListColumn, listPrinter, type Row } from '../output/list.ts';
import { formatAge, shortId } from '../output/units.ts';
import { listFormat } from '../output/values.ts';
import { defined, parseFilters } from '../values.ts';

const columns = [
  { field: 'ID', heading: 'CONTAINER ID' },
  { field: 'Image', heading: 'IMAGE', flexible: true },
  { field: 'Command', heading: 'COMMAND', flexible: true },
  { field: 'CreatedAt', heading: 'CREATED AT', hidden: true },
  { field: 'RunningFor', heading: 'CREATED' },
  { field: 'Status', heading: 'STATUS', colour: statusColour },
  { field: 'State', heading: 'STATE', hidden: true },
  { field: 'Names', heading: 'NAMES', flexible: true },
  { field: 'Labels', heading: 'LABELS', hidden: true },
] as const satisfies readonly ListColumn[];

const filterNames = [
  ...(['id', 'name', 'label', 'status', 'ancestor', 'exited', 'health', 'before', 'since', 'volume'] as const),
];

export const psCommand = defineCommand({
  name: 'ps',
  summary: 'List containers',
  operands: { usage: '', min: 0, max: 0 },
  options: {
    all: { type: 'flag', short: 'a', help: 'Also those that do not run' },
    filter: {
      type: 'list',
      short: 'f',
      value: 'KEY=VALUE',
      help: 'id, name, label, status, ancestor, exited, health, before, since, volume',
    },
    last: { type: 'number', short: 'n', value: 'COUNT', help: 'So many, the newest, in any state' },
    latest: { type: 'flag', short: 'l', help: 'The newest, in any state' },
    quiet: { type: 'flag', short: 'q', help: 'IDs alone' },
    'no-trunc': { type: 'flag', help: 'Show everything in full' },
    ...listFormat,
  },

  async run({ values, io, openRuntime }) {
    const whole = values['no-trunc'] === true;
    const print = listPrinter(columns, { format: values.format, stdout: io.stdout, cut: !whole });
    const filters = containerFilters(values.filter);
    const limit = values.latest === true ? 1 : values.last;
    // As with Docker, whoever asks for a state or a number means all containers.
    const all =
      values.all === true || limit !== undefined || filters.status !== undefined || filters.exited !== undefined;
    const runtime = await openRuntime();
    const containers = await runtime.containers.list({ all, filters, ...defined({ limit }) });
    const rows = containers.map((container) => rowOf(container, whole));
    io.stdout.write(values.quiet === true ? rows.map(({ ID }) => `${ID}\n`).join('') : print(rows));
    return 0;
  },
});

function containerFilters(words: readonly string[]): ContainerFilters {
  const { exited, before, since, ...rest } = parseFilters(words, filterNames);
  return {
    // What is no status or health is told by the schema, which lists them.
    ...(rest as ContainerFilters),
    ...(exited === undefined ? {} : { exited: exited.map(Number) }),
    ...defined({ before: before?.at(-1), since: since?.at(-1) }),
  };
}

function rowOf(container: ContainerSummary, whole: boolean): Row<(typeof columns)[number]['field']> {
  const command = container.command.join(' ');
  const shown = whole || command.length <= 20 ? command : `${command.slice(0, 19)}…`;
  return {
    ID: whole ? container.id : shortId(container.id),
    Image: whole ? container.image.name : shortId(container.image.name),
    Command: `"${shown}"`,
    CreatedAt: container.createdAt.toISOString(),
    RunningFor: `${formatAge(container.createdAt)} ago`,
    Status: statusOf(container),
    State: container.state.status,
    Names: container.name,
    Labels: Object.entries(container.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
  };
}

function statusOf({ state, health }: ContainerSummary): string {
  const note = health === null ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
  switch (state.status) {
    case 'running':
      return `Up ${formatAge(state.startedAt)}${note}`;
    case 'paused':
      return `Up ${formatAge(state.startedAt)} (Paused)`;
    case 'exited':
      return `Exited (${state.exitCode}) ${formatAge(state.finishedAt)} ago`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${formatAge(state.finishedAt)} ago`;
    default:
      return passing[state.status];
  }
}

const passing: Readonly<
  Record<Exclude<ContainerState['status'], 'running' | 'paused' | 'exited' | 'restarting'>, string>
> = {
  creating: 'Creating',
  created: 'Created',
  starting: 'Starting',
  removing: 'Removal in progress',
  lost: 'Lost',
};

function statusColour(status: string): 'green' | 'yellow' | 'red' | undefined {
  if (/\(unhealthy\)|^Lost|^Exited \([^0]/.test(status)) return 'red';
  if (/\(Paused\)|^Restarting/.test(status)) return 'yellow';
  return status.startsWith('Up') ? 'green' : undefined;
}
