import { once } from 'node:events';
import { HakoError } from '../../base/errors.ts';
import { parseLogTime } from '../../base/log-time.ts';
import { defineCommand } from '../command.ts';

export const logsCommand = defineCommand({
  name: 'logs',
  summary: "Print a container's output",
  operands: { usage: 'CONTAINER', min: 1, max: 1 },
  options: {
    follow: { type: 'flag', short: 'f', help: 'Go on until the end of the container' },
    tail: { type: 'text', short: 'n', value: 'LINES', help: 'So many lines at the end, or all' },
    since: { type: 'text', value: 'TIME', help: 'From a time on, such as 10m (ago) or 2026-01-31T12:00:00Z' },
    until: { type: 'text', value: 'TIME', help: 'Up to a time' },
    timestamps: { type: 'flag', short: 't', help: 'Begin each line with its time' },
  },

  async run({ values, operands: [name = ''], io, openRuntime }) {
    const query = {
      follow: values.follow === true,
      ...(values.tail === undefined || values.tail === 'all' ? {} : { tail: lineCount(values.tail) }),
      ...(values.since === undefined ? {} : { since: parseLogTime(values.since) }),
      ...(values.until === undefined ? {} : { until: parseLogTime(values.until) }),
    };
    const runtime = await openRuntime();
    const container = await runtime.containers.get(name);
    const { entryPrinter } = await import('../../index.ts');
    const print = entryPrinter({ timestamps: values.timestamps === true });
    for await (const entry of container.logs(query)) {
      const stream = entry.stream === 'stderr' ? io.stderr : io.stdout;
      // Rejects when nobody reads any more.
      if (!stream.write(print(entry))) await once(stream, 'drain');
      if (stream.errored !== null) throw stream.errored;
    }
    return 0;
  },
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function lineCount(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new HakoError('INVALID_OPTION', `--tail takes a number of lines, or all; '${text}' is neither.`);
}
