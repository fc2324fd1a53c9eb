import type { LogEntry, LogQuery } from '../contracts/log-driver.ts';

/**
 * Holds a driver to the streams that were asked for and to `until`, whatever it yields. The rest of a query is the
 * driver's own: `tail` cannot be told from outside, and what is older than `since` it may have a reason to give (a
 * clock that was put back).
 */
export function selectEntries(entries: AsyncIterable<LogEntry>, query: LogQuery): AsyncIterable<LogEntry> {
  const { stdout = true, stderr = true, until } = query;
  if (stdout && stderr && until === undefined) return entries;
  return filter(
    entries,
    (entry) => (entry.stream === 'stdout' ? stdout : stderr) && (until === undefined || entry.time <= until),
  );
}

async function* filter<T>(values: AsyncIterable<T>, holds: (value: T) => boolean): AsyncGenerator<T> {
  for await (const value of values) if (holds(value)) yield value;
}
