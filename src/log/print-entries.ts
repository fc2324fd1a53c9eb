import { formatRfc3339 } from '../base/rfc3339.ts';
import type { LogEntry } from '../contracts/log-driver.ts';

/**
 * Makes the bytes to print of entries, as `docker logs` does: each line ends with a newline, and begins with its
 * time when that was asked for. A piece of a long line is not broken: it gets neither between itself and the next.
 *
 * @public
 */
export function entryPrinter({
  timestamps = false,
}: {
  readonly timestamps?: boolean;
} = {}): (entry: LogEntry) => Uint8Array {
  const insideLine = new Set<LogEntry['stream']>();
  return ({ stream, time, line, partial }) => {
    const prefix = timestamps && !insideLine.has(stream) ? `${formatRfc3339(time)} ` : '';
    if (partial) insideLine.add(stream);
    else insideLine.delete(stream);
    return Buffer.concat([Buffer.from(prefix), line, Buffer.from(partial ? '' : '\n')]);
  };
}
