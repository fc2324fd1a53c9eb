import type { LogEntry } from 'libhako/plugin';
import { newline } from './bytes.ts';
import { readFully } from './file-blocks.ts';
import type { LogFile } from './log-files.ts';
import { RecordStream } from './record-stream.ts';

/** Long enough for a record's time, which no other record in that place will have. */
const fingerprintLength = 48;

/** Where a reader is in a file that may still grow, or be cut off by somebody else. */
export class LogCursor implements AsyncDisposable {
  readonly file: LogFile;
  #stream = new RecordStream();
  /** Where the stream's first byte is in the file. */
  #origin: number;
  /** The bytes just before the place to read on at. */
  #fingerprint = Buffer.alloc(0);
  /** A compressed file gives all that it has at once. */
  #isExhausted = false;

  constructor(file: LogFile, offset: number) {
    this.file = file;
    this.#origin = offset;
  }

  /** The records from here to the end of what is there now, or to the byte `end`. */
  async *read(end?: number): AsyncGenerator<readonly LogEntry[]> {
    if (this.#isExhausted) return;
    this.#isExhausted = this.file.compressed !== null;
    if (this.file.compressed === null && end === undefined) await this.#recover();
    for await (const block of this.file.blocks(this.#position, end)) {
      const before = this.#stream.wholeLines;
      const entries = this.#stream.push(block);
      if (this.#stream.wholeLines > before) this.#remember(block);
      if (entries.length > 0) yield entries;
    }
  }

  /** The file will not grow any more: its last line counts even if its newline is missing. */
  finish(): readonly LogEntry[] {
    return this.#stream.end();
  }

  get #position(): number {
    return this.#origin + this.#stream.wholeLines;
  }

  // A line without an end is read again from its start: the supervisor cuts it off when it opens the file after a
  // crash, and writes on in its place.
  async #recover(): Promise<void> {
    this.#stream.dropRest();
    const length = this.#fingerprint.length;
    if (length === 0 && this.#position === 0) return;
    const found = await readFully(this.file.handle, this.#position - length, length);
    const { size } = await this.file.handle.stat();
    if (size >= this.#position && found.equals(this.#fingerprint)) return;
    this.#stream = new RecordStream();
    this.#origin = 0;
    this.#fingerprint = Buffer.alloc(0);
  }

  #remember(block: Buffer): void {
    const end = block.lastIndexOf(newline) + 1;
    this.#fingerprint = Buffer.from(block.subarray(Math.max(0, end - fingerprintLength), end));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.file[Symbol.asyncDispose]();
  }
}
