import { defineCommand } from '../command.ts';
import { formatTable } from '../output/table.ts';

export const topCommand = defineCommand({
  name: 'top',
  summary: 'List the processes of a container',
  operands: { usage: 'CONTAINER [PS OPTION…]', min: 1 },
  leading: true,
  options: {},
  details: 'The options of ps(1) choose columns: `hako top web aux`, `hako top web -o pid,user,args`.',

  async run({ operands: [name = '', ...psArgs], io, openRuntime }) {
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const { titles, rows } = await container.top(psArgs.length === 0 ? {} : { psArgs: psArgs.join(' ') });
    const columns = titles.map((heading, index) => ({ heading, flexible: index === titles.length - 1 }));
    io.stdout.write(formatTable(columns, rows, io.stdout.isTTY ? { width: io.stdout.columns } : {}));
    return 0;
  },
});
