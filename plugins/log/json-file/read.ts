import { FileWatch, type LogEntry, type LogQuery } from 'libhako/plugin';
import { isDamage } from './gzip-log.ts';
import { LogChain } from './log-chain.ts';
import type { LogCursor } from './log-cursor.ts';
import { findTail } from './tail.ts';

export interface LogSource {
  readonly path: string;
  readonly maxFiles: number;
  warn(message: string, cause?: unknown): void;
}

/** How long after `until` a followed log is still read: a record's time is taken before it is written. Milliseconds. */
const untilGrace = 100;
const longestTimer = 2 ** 31 - 1;

/** The records that a query is for, in the batches in which they were read. */
export async function* readLog(
  source: LogSource,
  query: LogQuery,
  ended: Promise<void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  signal?.throwIfAborted();
  const chain = await LogChain.open(source.path, source.maxFiles, source.warn);
  try {
    const skipLines = await startOf(chain, query, signal);
    const batches =
      query.follow === true ? follow(chain, source, query, ended, signal) : readToEnd(chain, source, query.since);
    yield* select(batches, query, skipLines, signal);
  } finally {
    await chain[Symbol.asyncDispose]();
  }
}

async function startOf(chain: LogChain, query: LogQuery, signal: AbortSignal | undefined): Promise<number> {
  if (query.tail === undefined) return 0;
  const { file, offset, skipLines } = await findTail(chain.files, query.tail, (entry) => matches(entry, query), signal);
  await chain.startAt(file, offset);
  return skipLines;
}

/** What is there when the reading begins; what is written meanwhile is not waited for. */
async function* readToEnd(
  chain: LogChain,
  source: LogSource,
  since: bigint | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  for (let cursor = chain.current; cursor !== undefined; cursor = chain.current) {
    yield* readFile(cursor, source, since, cursor.file.size);
    yield cursor.finish();
    await chain.next();
  }
}

async function* readFile(
  cursor: LogCursor,
  source: LogSource,
  since: bigint | undefined,
  end?: number,
): AsyncGenerator<readonly LogEntry[]> {
  const { compressed } = cursor.file;
  if (since !== undefined && compressed?.lastTime != null && compressed.lastTime < since) return;
  try {
    yield* cursor.read(end);
  } catch (error) {
    if (!isDamage(error)) throw error;
    source.warn(`${cursor.file.name} is damaged; what comes after the damage is missing from the log.`, error);
  }
}

async function* follow(
  chain: LogChain,
  source: LogSource,
  query: LogQuery,
  ended: Promise<void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  using watch = new FileWatch(source.path, () => {
    // What goes wrong here goes wrong again where it is waited for.
    chain.refresh().catch(() => {});
  });
  using end = new End(ended, query.until, signal, () => watch.notify());
  for (;;) {
    // Both are asked before the file is read: nothing can come after what is read then.
    const isEnd = end.reached;
    await chain.refresh();
    const isComplete = chain.isCurrentComplete;
    const cursor = chain.current;
    if (cursor !== undefined) yield* readFile(cursor, source, query.since);
    signal?.throwIfAborted();
    if (isComplete) {
      yield cursor?.finish() ?? [];
      await chain.next();
    } else if (isEnd) {
      yield cursor?.finish() ?? [];
      return;
    } else {
      await watch.wait();
      signal?.throwIfAborted();
    }
  }
}

/** What ends a followed log: the container's end, the clock, or the caller. */
class End implements Disposable {
  reached = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #until: bigint | undefined;
  readonly #signal: AbortSignal | undefined;
  #notify: () => void;

  constructor(ended: Promise<void>, until: bigint | undefined, signal: AbortSignal | undefined, notify: () => void) {
    this.#until = until;
    this.#signal = signal;
    this.#notify = notify;
    void ended.then(this.#reach);
    signal?.addEventListener('abort', notify);
    this.#checkClock();
  }

  #reach = (): void => {
    this.reached = true;
    this.#notify();
  };

  #checkClock(): void {
    if (this.#until === undefined) return;
    const left = Number(this.#until / 1_000_000n) + untilGrace - Date.now();
    if (left < 0) this.#reach();
    else this.#timer = setTimeout(() => this.#checkClock(), Math.min(left + 1, longestTimer));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#notify);
    // The promise keeps this object for as long as the container runs; it need not keep the reader too.
    this.#notify = () => {};
  }
}

/**
 * The records that the query is for, without the first `skipLines` lines. As in Docker the times bound a stretch of
 * the log, from the first record at `since` to the one before the first after `until`: a clock that was put back in
 * between tears no hole into it.
 */
async function* select(
  batches: AsyncGenerator<readonly LogEntry[]>,
  query: LogQuery,
  skipLines: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly LogEntry[]> {
  const { since, until, stdout = true, stderr = true } = query;
  let toSkip = skipLines;
  let isSince = since === undefined;
  for await (const batch of batches) {
    signal?.throwIfAborted();
    const selected: LogEntry[] = [];
    for (const entry of batch) {
      if (toSkip > 0) {
        if (!entry.partial && matches(entry, query)) toSkip--;
        continue;
      }
      isSince ||= since === undefined || entry.time >= since;
      if (!isSince) continue;
      if (until !== undefined && entry.time > until) {
        yield selected;
        return;
      }
      if (entry.stream === 'stdout' ? stdout : stderr) selected.push(entry);
    }
    if (selected.length > 0) yield selected;
  }
}

/** Whether a record can be one of the last lines. `since` need not be asked: it bounds the same end as a tail does. */
function matches(entry: LogEntry, { until, stdout = true, stderr = true }: LogQuery): boolean {
  return (until === undefined || entry.time <= until) && (entry.stream === 'stdout' ? stdout : stderr);
}
