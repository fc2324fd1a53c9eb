import { once } from 'node:events';
import { entryPrinter, parseLogTime } from '../../index.ts';
import { type Command, onlyOne, parseNumber, parseStrictly } from '../command.ts';

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
    const query = {
      follow: values.follow === true,
      ...(values.tail === undefined || values.tail === 'all' ? {} : { tail: parseNumber(values.tail, '--tail') }),
      ...(values.since === undefined ? {} : { since: parseLogTime(values.since) }),
      ...(values.until === undefined ? {} : { until: parseLogTime(values.until) }),
    };
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const print = entryPrinter({ timestamps: values.timestamps === true });
    for await (const entry of container.logs(query)) {
      const stream = entry.stream === 'stderr' ? io.stderr : io.stdout;
      // Rejects when nobody reads any more.
      if (!stream.write(print(entry))) await once(stream, 'drain');
      if (stream.errored !== null) throw stream.errored;
    }
    return 0;
  },
};
