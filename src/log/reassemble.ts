import type { LogEntry } from '../contracts/log-driver.ts';

/**
 * Joins the pieces of long lines. A line comes out when its last piece has come in, with the time and the attributes
 * of its first; lines of the two streams never mix. What has no end when the log ends comes out last, still `partial`.
 *
 * A line is not cut off here: ask for this only when a program that prints without an end, ever, is not what is
 * being read, or give `maxLength`: a line that reaches it comes out as it is, `partial`.
 *
 * @param maxLength bytes
 * @public
 */
export async function* reassembleLines(
  entries: AsyncIterable<LogEntry>,
  { maxLength = Number.POSITIVE_INFINITY }: { readonly maxLength?: number } = {},
): AsyncGenerator<LogEntry> {
  const open = new Map<LogEntry['stream'], OpenLine>();
  for await (const entry of entries) {
    let line = open.get(entry.stream);
    if (line === undefined && !entry.partial) {
      yield entry;
      continue;
    }
    if (line === undefined) {
      line = { first: entry, pieces: [], length: 0 };
      open.set(entry.stream, line);
    }
    line.pieces.push(entry.line);
    line.length += entry.line.length;
    if (entry.partial && line.length < maxLength) continue;
    open.delete(entry.stream);
    yield joined(line, entry.partial);
  }
  for (const line of open.values()) yield joined(line, true);
}

interface OpenLine {
  readonly first: LogEntry;
  readonly pieces: Uint8Array[];
  length: number;
}

function joined({ first, pieces, length }: OpenLine, partial: boolean): LogEntry {
  return { ...first, line: Buffer.concat(pieces, length), partial };
}
