import { LogCursor } from './log-cursor.ts';
import { closeAll, type LogFile, openNewerFiles } from './log-files.ts';

/**
 * How many files are held open for a reader that lags behind. A file that is rotated away is kept by the kernel until
 * its reader is done; what is rotated away beyond that is lost to it.
 */
const maxHeld = 16;

/** The files of a log from where a reader is to the one that is being written. */
export class LogChain implements AsyncDisposable {
  readonly #path: string;
  readonly #maxFiles: number;
  readonly #warn: (message: string) => void;
  #cursors: LogCursor[];
  #working: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;
  #closed = false;

  private constructor(path: string, maxFiles: number, warn: (message: string) => void, files: readonly LogFile[]) {
    this.#path = path;
    this.#maxFiles = maxFiles;
    this.#warn = warn;
    this.#cursors = files.map((file) => new LogCursor(file, 0));
  }

  static async open(path: string, maxFiles: number, warn: (message: string) => void): Promise<LogChain> {
    return new LogChain(path, maxFiles, warn, (await openNewerFiles(path, maxFiles, null)).files);
  }

  get files(): readonly LogFile[] {
    return this.#cursors.map((cursor) => cursor.file);
  }

  /** The file to read; undefined while there is none. */
  get current(): LogCursor | undefined {
    return this.#cursors[0];
  }

  /** Whether a newer file than the current one is there, so that the current one is complete. */
  get isCurrentComplete(): boolean {
    return this.#cursors.length > 1;
  }

  /** Begins at a byte of a file, and lets go of those before it. */
  async startAt(index: number, offset: number): Promise<void> {
    const passed = this.#cursors.splice(0, index);
    const current = this.#cursors[0];
    if (current !== undefined && offset > 0) this.#cursors[0] = new LogCursor(current.file, offset);
    await closeAll(passed.map((cursor) => cursor.file));
  }

  async next(): Promise<void> {
    await this.#cursors.shift()?.[Symbol.asyncDispose]();
  }

  /** Opens the files that have been begun since. One call waits while another works; more than one wait as one. */
  refresh(): Promise<void> {
    this.#waiting ??= this.#working.then(() => {
      this.#waiting = null;
      return this.#openNewer();
    });
    this.#working = this.#waiting.catch(() => {});
    return this.#waiting;
  }

  async #openNewer(): Promise<void> {
    if (this.#closed || this.#cursors.length >= maxHeld) return;
    const known = this.#cursors.at(-1)?.file ?? null;
    const { files, gap } = await openNewerFiles(this.#path, this.#maxFiles, known);
    if (gap)
      this.#warn(
        `${this.#path} was rotated faster than it was read; some of what was logged is missing from the followed log.`,
      );
    this.#cursors.push(...files.map((file) => new LogCursor(file, 0)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#working;
    await closeAll(this.files);
    this.#cursors = [];
  }
}
