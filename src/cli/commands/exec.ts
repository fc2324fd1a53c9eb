import { defineCommand } from '../command.ts';
import { shortId } from '../output/units.ts';
import { programOptions, programSettings } from '../settings/process.ts';
import { connectTerminal, requireTerminal, terminalSizeOf } from '../terminal/connect.ts';
import { forwardSignals } from '../terminal/signals.ts';
import { defined, orNothing } from '../values.ts';
import { attachOptions } from './attach-options.ts';

export const execCommand = defineCommand({
  name: 'exec',
  summary: 'Run a further program in a running container',
  operands: { usage: 'CONTAINER COMMAND [ARG…]', min: 2 },
  leading: true,
  details:
    'Without `-d` the program ends with the command, also when that is killed, unless it was let go of by its detach keys: `hako attach --exec` joins it again.',
  options: {
    detach: { type: 'flag', short: 'd', help: 'Leave it running, and do not wait for it' },
    'detach-keys': attachOptions['detach-keys'],
    ...programOptions,
    'group-add': { type: 'list', value: 'GROUP', help: 'A further group of the program' },
    privileged: { type: 'flag', help: 'With all capabilities that there are' },
  },

  async run({ values, operands: [name = '', ...command], io, openRuntime }) {
    const { detach = false, interactive = false, tty = false } = values;
    if (!detach) requireTerminal({ interactive, tty }, io);
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const exec = await container.startExec(command, {
      ...programSettings(values),
      ...defined({
        groups: orNothing(values['group-add']),
        privileged: values.privileged,
      }),
      ...(tty ? terminalSizeOf(io) : {}),
      ...defined({ detachKeys: values['detach-keys'] }),
      detached: detach,
    });
    if (detach) return 0;
    using _ = forwardSignals((signal) => exec.kill(signal));
    const code = await connectTerminal(exec, { interactive, tty }, io);
    if (code !== null) return code;
    // Until it is known to go on without us.
    await exec.detach();
    io.stderr.write(`\nhako: it goes on; join it with: hako attach --exec ${shortId(exec.id)} ${name}\n`);
    return 0;
  },
});
