import type { LogEntry } from 'libhako/plugin';
import { leadingNuls, newline } from './bytes.ts';
import { RecordDecoder } from './record-decoder.ts';

const none: readonly LogEntry[] = [];

/**
 * Longer than any record: 16 KiB of text, six bytes for each, and the attributes, which came in a request of at most
 * 8 MiB. A longer "line" is damage, and is not kept in memory while its end is looked for.
 */
export const maxRecordLength = 16 * 1024 * 1024;

/** Makes records of the blocks of a file, from the first to the last; passes over what is no record. */
export class RecordStream {
  readonly #decoder = new RecordDecoder();
  #rest: Buffer[] = [];
  #restLength = 0;
  #tooLong = false;
  #consumed = 0;
  #wholeLines = 0;

  /** How many of the bytes pushed belong to whole lines: where to read on after what came later is dropped. */
  get wholeLines(): number {
    return this.#wholeLines;
  }

  push(block: Buffer): readonly LogEntry[] {
    const entries: LogEntry[] = [];
    let start = 0;
    for (let end = block.indexOf(newline); end >= 0; end = block.indexOf(newline, start)) {
      const entry =
        this.#restLength === 0 && !this.#tooLong
          ? this.#decoder.decode(block, start, end)
          : this.#decodeWithRest(block.subarray(start, end));
      if (entry !== null) entries.push(entry);
      start = end + 1;
      this.#wholeLines = this.#consumed + start;
    }
    this.#consumed += block.length;
    this.#keep(block.subarray(start));
    return entries;
  }

  /** The last line, which has no newline: a record all the same if only its newline is missing. */
  end(): readonly LogEntry[] {
    const entry = this.#decodeWithRest(Buffer.alloc(0));
    return entry === null ? none : [entry];
  }

  /** Forgets the line that has no end yet. */
  dropRest(): void {
    this.#rest = [];
    this.#restLength = 0;
    this.#tooLong = false;
    this.#consumed = this.#wholeLines;
  }

  #keep(bytes: Buffer): void {
    const kept = this.#restLength === 0 ? bytes.subarray(leadingNuls(bytes, 0, bytes.length)) : bytes;
    if (kept.length === 0) return;
    if (this.#restLength + kept.length > maxRecordLength) {
      this.#rest = [];
      this.#restLength = 0;
      this.#tooLong = true;
    } else if (!this.#tooLong) {
      this.#rest.push(kept);
      this.#restLength += kept.length;
    }
  }

  #decodeWithRest(end: Buffer): LogEntry | null {
    const line = this.#tooLong ? null : Buffer.concat([...this.#rest, end]);
    this.#rest = [];
    this.#restLength = 0;
    this.#tooLong = false;
    return line === null ? null : this.#decoder.decode(line, 0, line.length);
  }
}
