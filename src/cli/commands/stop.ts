import type { Container, StopOptions } from '../../index.ts';
import { type Command, defineCommand, forEachOperand } from '../command.ts';
import type { OptionTable } from '../options.ts';
import { defined } from '../values.ts';

const containers = { usage: 'CONTAINER…', min: 1 } as const;

const stopOptions = {
  signal: { type: 'text', short: 's', value: 'SIGNAL', help: "What asks it to end; default: the container's own" },
  timeout: {
    type: 'number',
    short: 't',
    aliases: ['time'],
    value: 'SECONDS',
    help: "Seconds until it is killed; default: the container's own, else 10",
  },
} as const satisfies OptionTable;

function stopping(
  name: string,
  summary: string,
  end: (container: Container, options: StopOptions) => Promise<unknown>,
): Command {
  return defineCommand({
    name,
    summary,
    operands: containers,
    options: stopOptions,
    async run(call) {
      const { signal, timeout } = call.values;
      const options = defined<StopOptions>({ stopSignal: signal as NodeJS.Signals | undefined, timeout });
      const runtime = await call.openRuntime();
      return forEachOperand(call, async (operand) => {
        await end(await runtime.containers.get(operand), options);
        return operand;
      });
    },
  });
}

export const stopCommand = stopping('stop', 'Stop running containers', (container, options) => container.stop(options));

export const restartCommand = stopping('restart', 'Stop containers, and start them again', (container, options) =>
  container.restart(options),
);

export const killCommand = defineCommand({
  name: 'kill',
  summary: 'Send a signal to running containers',
  operands: containers,
  options: { signal: { type: 'text', short: 's', value: 'SIGNAL', help: 'Default SIGKILL' } },
  async run(call) {
    const signal = (call.values.signal ?? 'SIGKILL') as NodeJS.Signals;
    const runtime = await call.openRuntime();
    return forEachOperand(call, async (name) => {
      await (await runtime.containers.get(name)).kill(signal);
      return name;
    });
  },
});
