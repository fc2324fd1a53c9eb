import { createInterface } from 'node:readline/promises';
import { HakoError, hasHakoCode } from '../../base/errors.ts';
import { type CommandIo, defineCommand, forEachOperand } from '../command.ts';
import { formatBytes } from '../output/units.ts';
import { defined, parseFilters, parseTime } from '../values.ts';

export const rmCommand = defineCommand({
  name: 'rm',
  summary: 'Remove containers',
  operands: { usage: 'CONTAINER…', min: 1 },
  options: {
    force: { type: 'flag', short: 'f', help: 'Also those that run; that one is not there is no failure' },
    quarantined: {
      type: 'flag',
      help: 'What is left of those, by their whole ids, that `hako info` says were put aside',
    },
    volumes: { type: 'flag', short: 'v', help: 'Nothing more: a container leaves no volumes behind' },
  },
  async run(call) {
    const force = call.values.force === true;
    const runtime = await call.openRuntime();
    return forEachOperand(
      call,
      async (name) => {
        if (call.values.quarantined === true) await runtime.containers.removeQuarantined(name, { force });
        else await (await runtime.containers.get(name)).remove({ force });
        return name;
      },
      (error) => !(force && hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND')),
    );
  },
});

export const pruneCommand = defineCommand({
  name: 'prune',
  summary: 'Remove all containers that do not run',
  operands: { usage: '', min: 0, max: 0 },
  options: {
    force: { type: 'flag', short: 'f', help: 'Do not ask' },
    filter: { type: 'list', value: 'KEY=VALUE', help: 'until (made before), label, label!' },
  },
  async run({ values, io, openRuntime }) {
    const { until, label, 'label!': notLabel } = parseFilters(values.filter, ['until', 'label', 'label!']);
    const filters = defined({
      until: until?.map(parseTime).at(-1),
      label,
      'label!': notLabel,
    });
    if (values.force !== true && !(await isWished(io))) return 0;
    const runtime = await openRuntime();
    const { removed, spaceReclaimed } = await runtime.containers.prune({ filters });
    if (removed.length > 0) io.stdout.write(`Deleted Containers:\n${removed.map((id) => `${id}\n`).join('')}\n`);
    io.stdout.write(`Total reclaimed space: ${formatBytes(spaceReclaimed)}\n`);
    return 0;
  },
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` where nobody can be asked */
async function isWished({ stdin, stderr }: CommandIo): Promise<boolean> {
  if (!stdin.isTTY)
    throw new HakoError('INVALID_OPTION', 'This removes all containers that do not run; write --force to mean it.');
  using prompt = createInterface({ input: stdin, output: stderr });
  const answer = await prompt.question('This removes all containers that do not run. Go on? [y/N] ');
  return /^y(es)?$/i.test(answer.trim());
}
