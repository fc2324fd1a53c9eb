import { HakoError } from '../../base/errors.ts';
import { type Command, parseStrictly } from '../command.ts';

export const rmiCommand: Command = {
  summary: 'Remove images',
  usage: 'rmi IMAGE…',

  async run({ args, io, openRuntime }) {
    const { positionals } = parseStrictly(args, {});
    if (positionals.length === 0) throw new HakoError('INVALID_OPTION', 'Name at least one image.');
    const runtime = await openRuntime();
    for (const name of positionals) {
      await runtime.images.remove(name);
      io.stdout.write(`${name}\n`);
    }
    return 0;
  },
};
