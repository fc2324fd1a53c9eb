import { HakoError } from '../../base/errors.ts';
import { type Command, parseStrictly } from '../command.ts';

export const rmCommand: Command = {
  summary: 'Remove containers',
  usage: 'rm [-f] CONTAINER…',

  async run({ args, io, openRuntime }) {
    const { values, positionals } = parseStrictly(args, { force: { type: 'boolean', short: 'f' } });
    if (positionals.length === 0) throw new HakoError('INVALID_OPTION', 'Name at least one container.');
    const runtime = await openRuntime();
    for (const name of positionals) {
      const container = await runtime.containers.get(name);
      await container.remove({ force: values.force === true });
      io.stdout.write(`${name}\n`);
    }
    return 0;
  },
};
