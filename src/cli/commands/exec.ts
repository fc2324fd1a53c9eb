import { defineCommand } from '../command.ts';
import { programOptions, programSettings } from '../settings/process.ts';
import { connectTerminal, terminalSizeOf } from '../terminal/connect.ts';
import { forwardSignals } from '../terminal/signals.ts';
import { defined, orNothing } from '../values.ts';

export const execCommand = defineCommand({
  name: 'exec',
  summary: 'Run a further program in a running container',
  operands: { usage: 'CONTAINER COMMAND [ARG…]', min: 2 },
  leading: true,
  details: 'Without `-d` the program ends with the command, also when that is killed; it has no detach keys.',
  options: {
    detach: { type: 'flag', short: 'd', help: 'Leave it running, and do not wait for it' },
    ...programOptions,
    'group-add': { type: 'list', value: 'GROUP', help: 'A further group of the program' },
    privileged: { type: 'flag', help: 'With all capabilities that there are' },
  },

  async run({ values, operands: [name = '', ...command], io, openRuntime }) {
    const { detach = false, interactive = false, tty = false } = values;
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const exec = await container.startExec(command, {
      ...programSettings(values),
      ...defined({
        groups: orNothing(values['group-add']),
        privileged: values.privileged,
      }),
      ...(tty ? terminalSizeOf(io) : {}),
      detached: detach,
      // A program that is not detached ends with whoever started it, so there is nothing to let go of.
      detachKeys: '',
    });
    if (detach) return 0;
    using _ = forwardSignals((signal) => exec.kill(signal));
    return (await connectTerminal(exec, { interactive, tty }, io)) ?? 0;
  },
});
