import { HakoError } from '../../base/errors.ts';
import { type Command, parseNumber, parseStrictly } from '../command.ts';

export const stopCommand: Command = {
  summary: 'Stop running containers',
  usage: 'stop [-s SIGNAL] [-t SECONDS] CONTAINER…',

  async run({ args, io, openRuntime }) {
    const { values, positionals } = parseStrictly(args, {
      signal: { type: 'string', short: 's' },
      time: { type: 'string', short: 't' },
    });
    if (positionals.length === 0) throw new HakoError('INVALID_OPTION', 'Name at least one container.');
    const options = {
      ...(values.signal === undefined ? {} : { stopSignal: values.signal as NodeJS.Signals }),
      ...(values.time === undefined ? {} : { timeout: parseNumber(values.time, '--time') }),
    };
    const runtime = await openRuntime();
    for (const name of positionals) {
      const container = await runtime.containers.get(name);
      await container.stop(options);
      io.stdout.write(`${name}\n`);
    }
    return 0;
  },
};
