import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const header = 4096;
const reserve = 256 * 1024;

/** Writes native/supervisor/journal.h's file as the supervisor does, from the description alone. */
export class JournalWriter implements Disposable {
  readonly ring: number;
  readonly #fd: number;
  written = 0n;
  sequence = 0n;
  dropped = 0n;

  constructor(path: string, capacity = 65_536) {
    this.ring = capacity + reserve;
    writeFileSync(path, '');
    truncateSync(path, header + this.ring);
    this.#fd = openSync(path, 'r+');
    const geometry = Buffer.alloc(32);
    geometry.write('hakojrnl', 'latin1');
    geometry.writeUInt32LE(1, 8);
    geometry.writeBigUInt64LE(BigInt(this.ring), 16);
    geometry.writeBigUInt64LE(BigInt(capacity), 24);
    this.write(geometry, 0);
    this.publish();
  }

  /** Where the next record goes in the file. */
  get position(): number {
    return header + Number(this.written % BigInt(this.ring));
  }

  get acknowledged(): bigint {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, 128);
    return bytes.readBigUInt64LE();
  }

  append(text: string | Uint8Array, { stream = 1, complete = true, time = 0n } = {}): void {
    const size = Math.ceil((32 + Buffer.byteLength(text)) / 32) * 32;
    const gap = header + this.ring - this.position;
    if (size > gap) {
      this.write(record('', 0, false, this.sequence, 0n), this.position);
      this.written += BigInt(gap);
    }
    this.write(record(text, stream, complete, this.sequence++, time), this.position);
    this.written += BigInt(size);
    this.publish();
  }

  drop(count: bigint): void {
    this.dropped += count;
    this.sequence += count;
    this.publish();
  }

  end(): void {
    this.publish(1n);
  }

  publish(ended = 0n): void {
    const state = Buffer.alloc(32);
    [this.written, this.sequence, this.dropped, ended].forEach((value, index) => {
      state.writeBigUInt64LE(value, index * 8);
    });
    this.write(state, 64);
  }

  write(bytes: Uint8Array, position: number): void {
    writeSync(this.#fd, bytes, 0, bytes.length, position);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function record(text: string | Uint8Array, stream: number, complete: boolean, sequence: bigint, time: bigint): Buffer {
  const line = Buffer.from(text as string);
  const bytes = Buffer.alloc(Math.ceil((32 + line.length) / 32) * 32);
  bytes.writeUInt32LE(line.length, 0);
  bytes.writeUInt8(stream, 4);
  bytes.writeUInt8(complete ? 1 : 0, 5);
  bytes.writeBigUInt64LE(sequence, 8);
  bytes.writeBigInt64LE(time, 16);
  bytes.writeUInt32LE(crc32(line, crc32(bytes.subarray(0, 28))), 28);
  line.copy(bytes, 32);
  return bytes;
}
