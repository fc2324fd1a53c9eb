import type { ContainerState } from '../../index.ts';
import { type Command, parseStrictly, wantsJson } from '../command.ts';
import { formatAge, formatTable, shortId } from '../table.ts';

function describe(state: ContainerState): string {
  switch (state.status) {
    case 'running':
      return `Up ${formatAge(state.startedAt)}`;
    case 'paused':
      return `Up ${formatAge(state.startedAt)} (Paused)`;
    case 'exited':
      return `Exited (${state.exitCode}) ${formatAge(state.finishedAt)} ago`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${formatAge(state.finishedAt)} ago`;
    case 'creating':
      return 'Creating';
    case 'created':
      return 'Created';
    case 'starting':
      return 'Starting';
    case 'removing':
      return 'Removal in progress';
    case 'lost':
      return 'Lost';
  }
}

export const psCommand: Command = {
  summary: 'List containers',
  usage: 'ps [-a] [-q] [--format json]',

  async run({ args, io, openRuntime }) {
    const { values } = parseStrictly(args, {
      all: { type: 'boolean', short: 'a' },
      quiet: { type: 'boolean', short: 'q' },
      format: { type: 'string' },
    });
    const json = wantsJson(values.format);
    const runtime = await openRuntime();
    const containers = (await runtime.containers.list()).filter(
      ({ state }) => values.all === true || state.status === 'running' || state.status === 'paused',
    );
    if (values.quiet === true) io.stdout.write(containers.map(({ id }) => `${shortId(id)}\n`).join(''));
    else if (json) io.stdout.write(containers.map((each) => `${JSON.stringify(each)}\n`).join(''));
    else {
      const rows = containers.map((each) => [
        shortId(each.id),
        shortId(each.image.name),
        JSON.stringify(each.command.join(' ').slice(0, 30)),
        `${formatAge(each.createdAt)} ago`,
        describe(each.state),
        each.name,
      ]);
      io.stdout.write(formatTable(['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'NAMES'], rows));
    }
    return 0;
  },
};
