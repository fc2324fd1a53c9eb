import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Disposer } from '../base/dispose.ts';
import { hasHakoCode } from '../base/errors.ts';
import { raceSignal } from '../base/signal.ts';
import type { LogEntry, LogWriter } from '../contracts/log-driver.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { FileWatch } from './file-watch.ts';
import { type JournalState, journalFile } from './journal-format.ts';
import { JournalReader } from './journal-reader.ts';

/** All in milliseconds. */
const times = {
  /** From a container's end on: what Docker gives its log drivers. */
  drain: 10_000,
  /** When the runtime closes, and what is left is for another. */
  stop: 2_000,
  /** For a writer to close, whether or not it has taken everything. */
  close: 1_000,
  firstPause: 100,
  longestPause: 5_000,
  /** A supervisor that lives puts what it holds back into an empty journal sooner than this: one that has not was killed. */
  quiet: 500,
  betweenWarnings: 10_000,
} as const;

export interface JournalPumpParts {
  /** The container's, for warnings. */
  readonly name: string;
  /** The container's own on the host. */
  readonly directory: string;
  readonly lock: NativeServices['lock'];
  writer(options: OperationOptions): Promise<LogWriter>;
  warn(message: string, cause?: unknown): void;
}

/** How the work of a pump has ended. */
export interface JournalPumpResult {
  /** Records that are still in the journal. */
  readonly pending: number;
  /** Why it has not gone to the end; undefined when it has, or was stopped. */
  readonly problem?: unknown;
}

/**
 * Brings one container's output from its journal to its driver's writer, while the container runs and for a bounded
 * time after. Of several for one container, in whatever process, one works and the others wait to take its place.
 */
export class JournalPump {
  /** Never rejects. */
  readonly done: Promise<JournalPumpResult>;
  readonly #parts: JournalPumpParts;
  readonly #over = new AbortController();
  #deadline: NodeJS.Timeout | undefined;
  /** Counts the runs of the container: what was seen of one says nothing of the next. */
  #run = 0;
  #hasEnded = false;
  #isStopping = false;
  #isFinishing = false;
  #isWaiting = false;
  #watch: FileWatch | undefined;
  #writer: Promise<LogWriter> | undefined;
  #told = { dropped: 0n, at: Number.NEGATIVE_INFINITY };

  /** @param ended - settles when the container writes no more */
  constructor(parts: JournalPumpParts, ended: Promise<unknown>) {
    this.#parts = parts;
    this.follow(ended);
    this.done = this.#work();
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** The container runs again. False: this pump is about to finish, and another must be made. */
  follow(ended: Promise<unknown>): boolean {
    if (this.#isFinishing || this.#isStopping || this.#over.signal.aborted) return false;
    const run = ++this.#run;
    this.#hasEnded = false;
    clearTimeout(this.#deadline);
    const end = (): void => {
      if (run !== this.#run) return;
      this.#hasEnded = true;
      this.#endWithin(this.#isStopping ? times.stop : times.drain);
    };
    ended.then(end, end);
    return true;
  }

  /** Ends soon: at once when the container runs on, after what is left when it has ended. */
  stop(): void {
    this.#isStopping = true;
    // One that waits for its turn leaves the work to whoever has it.
    this.#endWithin(this.#isWaiting ? 0 : times.stop);
  }

  #endWithin(time: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#over.abort(new Error('its driver has not taken them in time')), time);
    this.#watch?.notify();
  }

  async #work(): Promise<JournalPumpResult> {
    try {
      await using journal = await JournalReader.open(join(this.#parts.directory, journalFile));
      const problem = await this.#pump(journal).then(
        () => undefined,
        (error: unknown) => error,
      );
      return { pending: await journal.pending(), problem: this.#isStopping ? undefined : problem };
    } catch (problem) {
      // The container was removed meanwhile.
      return (problem as NodeJS.ErrnoException).code === 'ENOENT' ? { pending: 0 } : { pending: 0, problem };
    } finally {
      this.#isFinishing = true;
      this.#run++;
      clearTimeout(this.#deadline);
    }
  }

  async #pump(journal: JournalReader): Promise<void> {
    const { acknowledged, written, ended } = await journal.state();
    if (this.#hasEnded && ended && acknowledged === written) return;
    const path = join(this.#parts.directory, journalFile);
    await using held = new Disposer();
    held.use(await this.#takeLock(`${path}.lock`));
    this.#watch = held.use(new FileWatch(path, () => {}));
    held.defer(() => this.#closeWriter());
    await this.#deliverAll(journal, this.#watch);
  }

  async #takeLock(path: string): Promise<AsyncDisposable> {
    const { signal } = this.#over;
    for (let wait = false; ; wait = true) {
      this.#isWaiting = wait;
      const lock = await this.#parts.lock(path, { wait, signal });
      this.#isWaiting = false;
      if (lock !== null) return lock;
      // Told to stop before it was known that another has it.
      if (this.#isStopping) this.#over.abort();
      signal.throwIfAborted();
    }
  }

  async #deliverAll(journal: JournalReader, watch: FileWatch): Promise<void> {
    const { signal } = this.#over;
    let quietSince = Date.now();
    while (!this.#isStopping || this.#hasEnded) {
      signal.throwIfAborted();
      const run = this.#run;
      const hadEnded = this.#hasEnded;
      const state = await journal.state();
      this.#tellDropped(state.dropped);
      if (state.acknowledged < state.written) {
        await this.#deliverNext(journal, state);
        quietSince = Date.now();
      } else if (hadEnded && run === this.#run && (state.ended || Date.now() - quietSince >= times.quiet)) {
        break;
      } else {
        if (!hadEnded) quietSince = Date.now();
        await raceSignal(watch.wait(), signal);
      }
    }
    this.#isFinishing = true;
    const writer = await this.#writer;
    await raceSignal(writer?.flush?.({ signal }) ?? Promise.resolve(), signal);
  }

  async #deliverNext(journal: JournalReader, state: JournalState): Promise<void> {
    const { entries, next, damaged } = await journal.next(state, state.acknowledged);
    if (damaged)
      this.#parts.warn(
        `Log records of container '${this.#parts.name}' were lost when the machine lost its power: the disk did not have them yet.`,
      );
    if (entries.length > 0) await this.#write(entries);
    await journal.acknowledge(next);
  }

  async #write(entries: readonly LogEntry[]): Promise<void> {
    const { signal } = this.#over;
    for (let pause: number = times.firstPause; ; pause = Math.min(pause * 2, times.longestPause)) {
      try {
        const writer = await raceSignal(this.#openWriter(), signal);
        return await raceSignal(writer.write(entries, { signal }), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (hasHakoCode(error, 'HAKO_ERR_PLUGIN_NOT_FOUND')) throw error;
        if (pause === times.firstPause)
          this.#parts.warn(
            `The log of container '${this.#parts.name}' is held up, and will be tried again: ${messageOf(error)}`,
            error,
          );
      }
      await sleep(pause, undefined, { signal });
    }
  }

  #openWriter(): Promise<LogWriter> {
    this.#writer ??= this.#parts.writer({ signal: this.#over.signal });
    this.#writer.catch(() => {
      this.#writer = undefined;
    });
    return this.#writer;
  }

  async #closeWriter(): Promise<void> {
    const given = new AbortController();
    const late = sleep(times.close, undefined, { signal: given.signal }).then(() => {
      throw new Error('it takes too long');
    });
    try {
      await Promise.race([this.#writer?.then((writer) => writer[Symbol.asyncDispose]()), late]);
    } catch (error) {
      this.#parts.warn(
        `The log driver of container '${this.#parts.name}' has not closed its writer: ${messageOf(error)}`,
        error,
      );
    } finally {
      given.abort();
    }
  }

  #tellDropped(dropped: bigint): void {
    const due = this.#hasEnded || Date.now() - this.#told.at >= times.betweenWarnings;
    if (dropped <= this.#told.dropped || !due) return;
    this.#told = { dropped, at: Date.now() };
    this.#parts.warn(
      `The log journal of container '${this.#parts.name}' was full: ${dropped} records have been dropped so far.`,
    );
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
