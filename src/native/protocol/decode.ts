import { FrameType, MAX_FRAME } from './constants.ts';
import type { Frame } from './frames.ts';
import { PayloadReader, protocolError } from './wire.ts';

const HEADER = 5;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a stream of bytes into frames. Output is handed on as a view of the chunk that it came in, so that a
 * program's output crosses Node without being copied; only a frame that two chunks share is put together.
 */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #pendingLength = 0;
  /** Length of the frame being gathered, header included; 0: not known yet. */
  #wanted = 0;

  /**
   * @returns the frames that are whole now, in order.
   * @throws HakoError `HAKO_ERR_PROTOCOL_ERROR` for a frame that native/protocol.h does not know; the connection is of no use after that.
   */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#pendingLength > 0) {
      this.#pending.push(bytes);
      this.#pendingLength += bytes.length;
      if (this.#pendingLength < Math.max(this.#wanted, HEADER)) return frames;
      bytes = Buffer.concat(this.#pending, this.#pendingLength);
    }
    let at = 0;
    this.#wanted = 0;
    while (bytes.length - at >= HEADER) {
      const length = bytes.readUInt32LE(at);
      if (length > MAX_FRAME) throw protocolError(`a frame claims ${length} bytes`);
      if (bytes.length - at < HEADER + length) {
        this.#wanted = HEADER + length;
        break;
      }
      frames.push(decodeFrame(bytes.readUInt8(at + 4), bytes.subarray(at + HEADER, at + HEADER + length)));
      at += HEADER + length;
    }
    const rest = bytes.subarray(at);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#pendingLength = rest.length;
    return frames;
  }

  /** Whether the stream may end here: false in the middle of a frame. */
  get atBoundary(): boolean {
    return this.#pendingLength === 0;
  }
}

/** @throws HakoError `HAKO_ERR_PROTOCOL_ERROR` unless type and payload are those of a frame from the supervisor. */
export function decodeFrame(type: number, payload: Uint8Array): Frame {
  const reader = new PayloadReader(
    payload.length === 0 ? NOTHING : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
  );
  const frame = readFrame(type, reader);
  reader.end();
  return frame;
}

function readFrame(type: number, reader: PayloadReader): Frame {
  switch (type) {
    case FrameType.OUTPUT:
      return { type: 'output', stream: readStream(reader), data: reader.rest() };
    case FrameType.PREPARED:
      return { type: 'prepared' };
    case FrameType.STARTED:
      return {
        type: 'started',
        pid: reader.i32(),
        startTime: reader.u64(),
        startedAt: reader.i64(),
        uid: reader.u32(),
        gid: reader.u32(),
        tty: reader.u8() !== 0,
      };
    case FrameType.FAILED:
      return { type: 'failed', operation: reader.str(), errno: reader.i32(), detail: reader.str() };
    case FrameType.EXITED:
      return {
        type: 'exited',
        exitCode: reader.i32(),
        signal: reader.i32(),
        oomKilled: reader.u8() !== 0,
        finishedAt: reader.i64(),
        cleared: reader.u8() !== 0,
      };
    case FrameType.STATE_REPLY:
      return {
        type: 'state-reply',
        running: reader.u8() !== 0,
        pid: reader.i32(),
        startTime: reader.u64(),
        startedAt: reader.i64(),
        liveExecs: reader.u32(),
        logRecordsWritten: reader.u64(),
        logRecordsLost: reader.u64(),
      };
    case FrameType.LOG_ROTATED:
      return { type: 'log-rotated' };
    case FrameType.OOM:
      return { type: 'oom', kills: Number(reader.u64()) };
    default:
      throw protocolError(`it sent a frame of the unknown type ${type}`);
  }
}

function readStream(reader: PayloadReader): 'stdout' | 'stderr' {
  const stream = reader.u8();
  if (stream === 1) return 'stdout';
  if (stream === 2) return 'stderr';
  throw protocolError(`it sent output of the unknown stream ${stream}`);
}
