import { entryPrinter, parseLogTime } from '../../index.ts';
import { type Command, onlyOne, parseStrictly } from '../command.ts';

export const logsCommand: Command = {
  summary: "Print a container's output",
  usage: 'logs [-f] [-n LINES] [-t] [--since TIME] [--until TIME] CONTAINER',

  async run({ args, io, openRuntime }) {
    const { values, positionals } = parseStrictly(args, {
      follow: { type: 'boolean', short: 'f' },
      tail: { type: 'string', short: 'n' },
      timestamps: { type: 'boolean', short: 't' },
      since: { type: 'string' },
      until: { type: 'string' },
    });
    const name = onlyOne(positionals, 'container');
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const query = {
      follow: values.follow === true,
      ...(values.tail === undefined || values.tail === 'all' ? {} : { tail: Number(values.tail) }),
      ...(values.since === undefined ? {} : { since: parseLogTime(values.since) }),
      ...(values.until === undefined ? {} : { until: parseLogTime(values.until) }),
    };
    const print = entryPrinter({ timestamps: values.timestamps === true });
    for await (const entry of container.logs(query)) {
      const stream = entry.stream === 'stderr' ? io.stderr : io.stdout;
      if (!stream.write(print(entry))) await new Promise((resolve) => stream.once('drain', resolve));
    }
    return 0;
  },
};
