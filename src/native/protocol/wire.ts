import { HakoError } from '../../base/errors.ts';

const HEADER = 5;

/** Puts the header of a frame, whose payload has `length` bytes, at the start of `into`. */
function putHeader(into: Buffer, type: number, length: number): void {
  into.writeUInt32LE(length, 0);
  into.writeUInt8(type, 4);
}

/** A frame's header alone, for payloads that are sent as they lie, without a copy. */
export function frameHeader(type: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  putHeader(header, type, length);
  return header;
}

/**
 * Builds one frame. Every value is checked for its field's range, because a number that wrapped around would ask
 * the supervisor for something else than the caller did.
 */
export class FrameWriter {
  readonly #type: number;
  readonly #limit: number;
  #buffer: Buffer;
  #length = HEADER;

  constructor(type: number, limit: number, sizeHint = 4096) {
    this.#type = type;
    this.#limit = limit;
    this.#buffer = Buffer.allocUnsafe(sizeHint);
  }

  u8(value: number, field: string): this {
    this.#check(value, 0, 0xff, field);
    this.#length = this.#room(1).writeUInt8(value, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#room(1).writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  u16(value: number, field: string): this {
    this.#check(value, 0, 0xffff, field);
    this.#length = this.#room(2).writeUInt16LE(value, this.#length);
    return this;
  }

  u32(value: number, field: string): this {
    this.#check(value, 0, 0xffff_ffff, field);
    this.#length = this.#room(4).writeUInt32LE(value, this.#length);
    return this;
  }

  i32(value: number, field: string): this {
    this.#check(value, -0x8000_0000, 0x7fff_ffff, field);
    this.#length = this.#room(4).writeInt32LE(value, this.#length);
    return this;
  }

  u64(value: bigint | number, field: string): this {
    if (typeof value === 'number') this.#check(value, 0, Number.MAX_SAFE_INTEGER, field);
    const wide = BigInt(value);
    if (wide < 0n || wide > 0xffff_ffff_ffff_ffffn) throw outOfRange(field, value);
    this.#length = this.#room(8).writeBigUInt64LE(wide, this.#length);
    return this;
  }

  str(value: string, field: string): this {
    if (value.includes('\0')) {
      throw new HakoError(
        'INVALID_OPTION',
        `The ${field} holds a NUL character, which the kernel would take for its end; leave it out.`,
      );
    }
    const buffer = this.#room(4 + value.length * 3);
    const written = buffer.write(value, this.#length + 4, 'utf8');
    buffer.writeUInt32LE(written, this.#length);
    this.#length += 4 + written;
    return this;
  }

  bytes(value: Uint8Array): this {
    const buffer = this.#room(4 + value.length);
    buffer.writeUInt32LE(value.length, this.#length);
    buffer.set(value, this.#length + 4);
    this.#length += 4 + value.length;
    return this;
  }

  /** Bytes without a length: the last field of a frame. */
  raw(value: Uint8Array): this {
    this.#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.#length = this.#room(4).writeUInt32LE(items.length, this.#length);
    for (const item of items) write(item);
    return this;
  }

  strings(items: readonly string[], field: string): this {
    return this.list(items, (item) => this.str(item, field));
  }

  /** @throws HakoError `HAKO_ERR_INVALID_OPTION` when the payload is over its limit. */
  finish(): Buffer {
    const length = this.#length - HEADER;
    if (length > this.#limit) {
      throw new HakoError(
        'INVALID_OPTION',
        `The request takes ${length} bytes, more than the ${this.#limit} that are allowed; shorten the command, the environment or the list of mounts.`,
      );
    }
    putHeader(this.#buffer, this.#type, length);
    return this.#buffer.subarray(0, this.#length);
  }

  #room(size: number): Buffer {
    if (this.#length + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }

  #check(value: number, low: number, high: number, field: string): void {
    if (!Number.isInteger(value) || value < low || value > high) throw outOfRange(field, value);
  }
}

function outOfRange(field: string, value: bigint | number): HakoError {
  return new HakoError('INVALID_OPTION', `The ${field} cannot be ${value}: it is out of range.`);
}

/** Reads the fields of one payload; a field that is too short, or bytes left over, is a protocol error. */
export class PayloadReader {
  readonly #payload: Buffer;
  #at = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  u8(): number {
    return this.#payload.readUInt8(this.#take(1));
  }
  u32(): number {
    return this.#payload.readUInt32LE(this.#take(4));
  }
  i32(): number {
    return this.#payload.readInt32LE(this.#take(4));
  }
  u64(): bigint {
    return this.#payload.readBigUInt64LE(this.#take(8));
  }
  i64(): bigint {
    return this.#payload.readBigInt64LE(this.#take(8));
  }
  str(): string {
    const length = this.u32();
    const at = this.#take(length);
    return this.#payload.toString('utf8', at, at + length);
  }
  rest(): Buffer {
    const rest = this.#payload.subarray(this.#at);
    this.#at = this.#payload.length;
    return rest;
  }

  /** @throws HakoError `HAKO_ERR_PROTOCOL_ERROR` when the payload was not read to its end. */
  end(): void {
    if (this.#at !== this.#payload.length)
      throw protocolError(`a frame holds ${this.#payload.length - this.#at} bytes too many`);
  }

  #take(size: number): number {
    const at = this.#at;
    if (size > this.#payload.length - at) throw protocolError('a frame ends in the middle of a field');
    this.#at = at + size;
    return at;
  }
}

export function protocolError(what: string): HakoError {
  return new HakoError(
    'PROTOCOL_ERROR',
    `The supervisor broke the protocol: ${what}. Its program and this package must be of the same version; reinstall libhako.`,
  );
}
