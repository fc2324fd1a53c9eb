import { type FileHandle, open } from 'node:fs/promises';
import { HakoError } from '../base/errors.ts';
import type { LogEntry } from '../contracts/log-driver.ts';
import {
  acknowledgedAt,
  type JournalState,
  journalHeader,
  journalStateSize,
  parseJournalRecords,
  parseJournalState,
} from './journal-format.ts';

/** Bytes that are read at once: a quarter of the journal, so that the container goes on while they are delivered. */
const mostRead = 128 * 1024;
const leastRead = 32 * 1024;

/** What is next in a journal. */
export interface JournalBatch {
  readonly entries: readonly LogEntry[];
  /** To be acknowledged when the entries are safe. */
  readonly next: bigint;
  /** What follows could not be read, and is passed over: the machine lost its power before it was on the disk. */
  readonly damaged: boolean;
}

/**
 * The reader's side of native/supervisor/journal.h. Where it has come to stands in the file alone, so any process can
 * go on; only one at a time may.
 */
export class JournalReader implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Of the record read last, and where the next begins. */
  #last = { sequence: -1n, next: 0n };

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<JournalReader> {
    return new JournalReader(path, await open(path, 'r+'));
  }

  /** @throws HakoError `HAKO_ERR_STATE_CORRUPT` */
  async state(): Promise<JournalState> {
    const state = parseJournalState(await this.#read(0, journalStateSize));
    if (state !== null) return state;
    throw new HakoError(
      'STATE_CORRUPT',
      'A journal of log records cannot be understood, and is left as it is. The next start of its container makes a new one.',
      { path: this.#path },
    );
  }

  /** What comes after `from`; there must be something. */
  async next(state: JournalState, from: bigint): Promise<JournalBatch> {
    const batch = await this.#next(state, from);
    // What was just being written is whole when it is looked at again; what the disk has lost is not.
    return batch.damaged ? this.#next(await this.state(), from) : batch;
  }

  async acknowledge(next: bigint): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(next);
    await this.#file.write(bytes, 0, bytes.length, acknowledgedAt);
  }

  /** How many records nobody has acknowledged; reads them all. */
  async pending(): Promise<number> {
    const state = await this.state();
    let count = 0;
    for (let from = state.acknowledged; from < state.written; ) {
      const batch = await this.next(state, from);
      count += batch.entries.length;
      from = batch.next;
    }
    return count;
  }

  async #next({ ring, capacity, written }: JournalState, from: bigint): Promise<JournalBatch> {
    const position = Number(from % BigInt(ring));
    const lap = ring - position;
    const most = Math.min(Math.max(capacity / 4, leastRead), mostRead);
    const piece = await this.#read(journalHeader + position, Math.min(Number(written - from), lap, most));
    const after = from === this.#last.next ? this.#last.sequence : -1n;
    const { entries, length, lapEnds, sequence } = parseJournalRecords(piece, after);
    if (length === 0 && !lapEnds) return { entries, next: written, damaged: true };
    const next = from + BigInt(lapEnds ? lap : length);
    this.#last = { sequence, next };
    return { entries, next, damaged: false };
  }

  async #read(position: number, length: number): Promise<Buffer> {
    // Of its own: a writer may keep the lines.
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }
}
