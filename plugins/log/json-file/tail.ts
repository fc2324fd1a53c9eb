import type { LogEntry } from 'libhako/plugin';
import { isDamage } from './gzip-log.ts';
import type { LogFile } from './log-files.ts';
import { RecordDecoder } from './record-decoder.ts';
import { RecordStream } from './record-stream.ts';
import { reverseLines } from './reverse-lines.ts';

/** Where the last so many lines begin: a byte of a plain file, or after so many lines of a compressed one. */
export interface TailStart {
  readonly file: number;
  readonly offset: number;
  readonly skipLines: number;
}

/**
 * Finds the last `wanted` lines among the records that match. Plain files are read from their end. A compressed one
 * can only be read forward: its lines are counted, and read again from the right one, so that memory stays bounded.
 */
export async function findTail(
  files: readonly LogFile[],
  wanted: number,
  matches: (entry: LogEntry) => boolean,
  signal: AbortSignal | undefined,
): Promise<TailStart> {
  // The end of all: where it stays when nothing matches, and what is still to come follows.
  let start: TailStart = { file: Math.max(0, files.length - 1), offset: files.at(-1)?.size ?? 0, skipLines: 0 };
  if (wanted === 0) return start;
  const counter = new LineCounter(wanted);
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as LogFile;
    const found =
      file.compressed === null
        ? await scanBackward(file, counter, matches, signal)
        : await countForward(file, counter, matches, signal);
    if (found !== null) start = { file: index, ...found };
    if (counter.isFull) break;
  }
  return start;
}

/** Counts lines from the last record to the first. The pieces of a line but the last are marked partial. */
class LineCounter {
  readonly #wanted: number;
  #lines = 0;
  /** A line before the first one wanted has been met. */
  isFull = false;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get missing(): number {
    return this.#wanted - this.#lines;
  }

  get hasSome(): boolean {
    return this.#lines > 0;
  }

  /** Whether the record belongs to the tail. */
  take(entry: LogEntry): boolean {
    if (entry.partial && this.#lines > 0) return true;
    if (this.#lines === this.#wanted) this.isFull = true;
    else this.#lines++;
    return !this.isFull;
  }

  takeLines(count: number): void {
    this.#lines += count;
  }
}

async function scanBackward(
  file: LogFile,
  counter: LineCounter,
  matches: (entry: LogEntry) => boolean,
  signal: AbortSignal | undefined,
): Promise<Omit<TailStart, 'file'> | null> {
  const decoder = new RecordDecoder();
  let offset: number | null = null;
  for await (const line of reverseLines(file.handle, file.size)) {
    signal?.throwIfAborted();
    const entry = decoder.decode(line.bytes, 0, line.bytes.length);
    if (entry === null || !matches(entry)) continue;
    if (!counter.take(entry)) break;
    offset = line.offset;
  }
  return offset === null ? null : { offset, skipLines: 0 };
}

async function countForward(
  file: LogFile,
  counter: LineCounter,
  matches: (entry: LogEntry) => boolean,
  signal: AbortSignal | undefined,
): Promise<Omit<TailStart, 'file'> | null> {
  const stream = new RecordStream();
  let lines = 0;
  let openLine = false;
  const count = (entries: readonly LogEntry[]): void => {
    for (const entry of entries) {
      if (!matches(entry)) continue;
      openLine = entry.partial;
      if (!entry.partial) lines++;
    }
  };
  try {
    for await (const block of file.blocks(0)) {
      signal?.throwIfAborted();
      count(stream.push(block));
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  count(stream.end());
  // Pieces at the end belong to the first line of the next file, or are a line of their own when there is none.
  if (openLine && !counter.hasSome) lines++;
  const taken = Math.min(lines, counter.missing);
  counter.takeLines(taken);
  counter.isFull = taken < lines;
  return taken === 0 && !openLine ? null : { offset: 0, skipLines: lines - taken };
}
