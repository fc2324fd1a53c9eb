import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const header = 4096;
const head = 32;

export interface JournalRecord {
  readonly stream: number;
  readonly complete: boolean;
  readonly sequence: bigint;
  readonly time: bigint;
  readonly ordinal: number;
  readonly text: string;
}

/** Reads native/supervisor/journal.h's file as a writer in Node would, from the description alone. */
export class JournalReader implements Disposable {
  readonly #fd: number;
  #next: bigint;

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
    if (this.#bytes(0, 8).toString('latin1') !== 'hakojrnl') throw new Error('no journal');
    this.#next = this.#u64(128);
  }

  get capacity(): number {
    return Number(this.#u64(24));
  }

  get written(): bigint {
    return this.#u64(64);
  }

  get dropped(): bigint {
    return this.#u64(80);
  }

  /** The supervisor writes no more. */
  get ended(): boolean {
    return this.#u64(88) === 1n;
  }

  /** What was written and not read yet. */
  read(): JournalRecord[] {
    const ring = this.#u64(16);
    const written = this.written;
    const records: JournalRecord[] = [];
    while (this.#next < written) {
      const position = Number(this.#next % ring);
      const record = this.#bytes(header + position, head);
      const length = record.readUInt32LE(0);
      const text = this.#bytes(header + position + head, length);
      if (crc32(text, crc32(record.subarray(0, 28))) !== record.readUInt32LE(28))
        throw new Error(`a wrong checksum at ${this.#next}`);
      const stream = record.readUInt8(4);
      if (stream === 0) {
        this.#next += ring - BigInt(position);
        continue;
      }
      records.push({
        stream,
        complete: record.readUInt8(5) === 1,
        sequence: record.readBigUInt64LE(8),
        time: record.readBigInt64LE(16),
        ordinal: record.readUInt32LE(24),
        text: text.toString(),
      });
      this.#next += BigInt(Math.ceil((head + length) / head) * head);
    }
    return records;
  }

  acknowledge(): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(this.#next);
    writeSync(this.#fd, bytes, 0, 8, 128);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #bytes(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    if (readSync(this.#fd, bytes, 0, length, position) !== length)
      throw new Error(`the journal ends before ${position + length}`);
    return bytes;
  }

  #u64(position: number): bigint {
    return this.#bytes(position, 8).readBigUInt64LE();
  }
}
