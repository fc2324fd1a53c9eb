import type { Container, UpdateOptions } from '../../index.ts';
import { type Command, defineCommand, forEachOperand } from '../command.ts';
import { lifeOptions } from '../settings/life.ts';
import { resourceChanges, resourceOptions } from '../settings/resources.ts';
import { defined } from '../values.ts';

const containers = { usage: 'CONTAINER…', min: 1 } as const;

/** A command without options, which does one thing to each container. */
function each(
  name: string,
  summary: string,
  work: (container: Container, operand: string) => Promise<string>,
): Command {
  return defineCommand({
    name,
    summary,
    operands: containers,
    options: {},
    async run(call) {
      const runtime = await call.openRuntime();
      return forEachOperand(call, async (operand) => work(await runtime.containers.get(operand), operand));
    },
  });
}

export const pauseCommand = each('pause', 'Hold all processes of containers', async (container, operand) => {
  await container.pause();
  return operand;
});

export const unpauseCommand = each('unpause', 'Let paused containers go on', async (container, operand) => {
  await container.unpause();
  return operand;
});

export const waitCommand = each('wait', 'Wait until containers end, and print their exit codes', async (container) =>
  String((await container.wait()).exitCode),
);

export const renameCommand = defineCommand({
  name: 'rename',
  summary: 'Give a container another name',
  operands: { usage: 'CONTAINER NAME', min: 2, max: 2 },
  options: {},
  async run({ operands: [old = '', name = ''], openRuntime }) {
    const runtime = await openRuntime();
    await (await runtime.containers.get(old)).rename(name);
    return 0;
  },
});

export const updateCommand = defineCommand({
  name: 'update',
  summary: 'Change the limits and the restart policy of containers, also while they run',
  operands: containers,
  options: { ...resourceOptions, restart: lifeOptions.restart },
  async run(call) {
    const changes = defined<UpdateOptions>({ resources: resourceChanges(call.values), restart: call.values.restart });
    const runtime = await call.openRuntime();
    return forEachOperand(call, async (name) => {
      await (await runtime.containers.get(name)).update(changes);
      return name;
    });
  },
});
