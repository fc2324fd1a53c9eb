import { HakoError } from '../../base/errors.ts';
import { defineCommand, forEachOperand } from '../command.ts';
import { connectTerminal } from '../terminal/connect.ts';
import { forwardSignals } from '../terminal/signals.ts';
import { attachmentOf, attachOptions } from './attach-options.ts';

export const startCommand = defineCommand({
  name: 'start',
  summary: 'Start containers that do not run',
  operands: { usage: 'CONTAINER…', min: 1 },
  options: {
    attach: { type: 'flag', short: 'a', help: 'Print its output until its end, and pass signals on' },
    interactive: { type: 'flag', short: 'i', help: 'Feed the program from stdin' },
    ...attachOptions,
  },

  async run(call) {
    const { values, operands, io, openRuntime } = call;
    const interactive = values.interactive === true;
    const attach = values.attach === true || interactive;
    if (attach && operands.length > 1)
      throw new HakoError('INVALID_OPTION', 'Only one container can be started with --attach or --interactive.');
    const runtime = await openRuntime();
    if (!attach)
      return forEachOperand(call, async (name) => {
        await (await runtime.containers.get(name)).start();
        return name;
      });
    const container = await runtime.containers.get(operands[0] ?? '');
    const { tty = false } = (await container.inspect()).options;
    const attachment = await container.start({ attach: attachmentOf(values, { stdin: interactive }) });
    using _ = values['sig-proxy'] === false ? undefined : forwardSignals((signal) => container.kill(signal));
    return (await connectTerminal(attachment, { interactive, tty }, io)) ?? 0;
  },
});

export const attachCommand = defineCommand({
  name: 'attach',
  summary: "Join a running container's terminal or streams",
  operands: { usage: 'CONTAINER', min: 1, max: 1 },
  options: {
    'no-stdin': { type: 'flag', help: 'Do not feed the program' },
    exec: { type: 'text', value: 'ID', help: 'Join a further program of the container, by the beginning of its ID' },
    ...attachOptions,
  },

  async run({ values, operands: [name = ''], io, openRuntime }) {
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    if (values.exec !== undefined) {
      const interactive = values['no-stdin'] !== true;
      const exec = await container.attachExec(values.exec, attachmentOf(values, { stdin: interactive }));
      using _ = values['sig-proxy'] === false ? undefined : forwardSignals((signal) => exec.kill(signal));
      return (await connectTerminal(exec, { interactive, tty: exec.tty }, io)) ?? 0;
    }
    const { tty = false, stdin = false } = (await container.inspect()).options;
    const interactive = stdin && values['no-stdin'] !== true;
    const attachment = await container.attach(attachmentOf(values, { stdin: interactive }));
    using _ = values['sig-proxy'] === false ? undefined : forwardSignals((signal) => container.kill(signal));
    return (await connectTerminal(attachment, { interactive, tty }, io)) ?? 0;
  },
});
