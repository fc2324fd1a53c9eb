import { HakoError } from '../../base/errors.ts';
import { type Command, parseLeading, parsePairs } from '../command.ts';
import { forwardSignals } from '../signals.ts';
import { connectTerminal } from '../terminal.ts';

export const execCommand: Command = {
  summary: 'Run a further program in a running container',
  usage: 'exec [-i] [-t] [-u USER] [-w DIR] [-e NAME=VALUE]… CONTAINER COMMAND [ARG…]',

  async run({ args, io, openRuntime }) {
    const { values, rest } = parseLeading(args, {
      interactive: { type: 'boolean', short: 'i' },
      tty: { type: 'boolean', short: 't' },
      user: { type: 'string', short: 'u' },
      workdir: { type: 'string', short: 'w' },
      env: { type: 'string', short: 'e', multiple: true },
    });
    const [name, ...command] = rest;
    if (name === undefined || command.length === 0)
      throw new HakoError('INVALID_OPTION', 'Name a container and a command: hako exec CONTAINER COMMAND [ARG…].');
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const interactive = values.interactive === true;
    const tty = values.tty === true;
    const process_ = await container.startExec(command, {
      stdin: interactive,
      tty,
      env: parsePairs(values.env, (variable) => process.env[variable]),
      ...(values.user === undefined ? {} : { user: values.user }),
      ...(values.workdir === undefined ? {} : { workingDirectory: values.workdir }),
    });
    using _ = forwardSignals((signal) => process_.kill(signal));
    return await connectTerminal(process_, { interactive, tty }, io);
  },
};
