import { HakoError } from '../../base/errors.ts';
import { formatRfc3339, parseRfc3339 } from '../../base/rfc3339.ts';
import { type Command, onlyOne, parseStrictly } from '../command.ts';

const relative = /^(?<amount>\d+(?:\.\d+)?)(?<unit>ms|s|m|h)$/;
const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A time as `docker logs --since` takes it: RFC 3339, seconds since the epoch, or how long ago (`10m`). */
function parseMoment(text: string): bigint {
  const ago = relative.exec(text)?.groups;
  if (ago !== undefined) return BigInt(Math.round(Date.now() - Number(ago['amount']) * (milliseconds[ago['unit'] ?? 's'] ?? 1000))) * 1_000_000n;
  if (/^\d+$/.test(text)) return BigInt(text) * 1_000_000_000n;
  const time = parseRfc3339(text);
  if (time === null) throw new HakoError('INVALID_OPTION', `'${text}' is not a time: write 2026-11-24T05:00:00Z, 10m or seconds since the epoch.`);
  return time;
}

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
      ...(values.since === undefined ? {} : { since: parseMoment(values.since) }),
      ...(values.until === undefined ? {} : { until: parseMoment(values.until) }),
    };
    for await (const entry of container.logs(query)) {
      const stream = entry.stream === 'stderr' ? io.stderr : io.stdout;
      const stamp = values.timestamps === true ? `${formatRfc3339(entry.time)} ` : '';
      const whole = Buffer.concat([Buffer.from(stamp), entry.line, Buffer.from(entry.partial ? '' : '\n')]);
      if (!stream.write(whole)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    return 0;
  },
};
