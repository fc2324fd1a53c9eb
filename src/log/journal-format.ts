import { crc32 } from 'node:zlib';
import type { LogEntry } from '../contracts/log-driver.ts';

/** The journal's name in a container's directory. */
export const journalFile = 'log.journal';
/** Bytes: JOURNAL_MIN_CAPACITY of native/supervisor/journal.h, which describes the file. */
export const smallestJournal = 64 * 1024;
/** Where records begin. */
export const journalHeader = 4096;
/** How much of the header is in use. */
export const journalStateSize = 136;
export const acknowledgedAt = 128;

const magic = 'hakojrnl';
const version = 1;
const recordHead = 32;
/** Of a line; longer ones come in pieces. */
const longestText = 16 * 1024;

/** A journal's header. Offsets count from the first record ever written, and only grow. */
export interface JournalState {
  /** Bytes. */
  readonly ring: number;
  readonly capacity: number;
  readonly written: bigint;
  readonly acknowledged: bigint;
  /** Records that found no room, ever. */
  readonly dropped: bigint;
  /** The supervisor has written its last. */
  readonly ended: boolean;
}

/** @returns null when this is no journal's header. */
export function parseJournalState(header: Buffer): JournalState | null {
  if (header.length < journalStateSize || header.toString('latin1', 0, 8) !== magic) return null;
  const state: JournalState = {
    ring: Number(header.readBigUInt64LE(16)),
    capacity: Number(header.readBigUInt64LE(24)),
    written: header.readBigUInt64LE(64),
    acknowledged: header.readBigUInt64LE(acknowledgedAt),
    dropped: header.readBigUInt64LE(80),
    ended: header.readBigUInt64LE(88) === 1n,
  };
  const sound =
    header.readUInt32LE(8) === version &&
    Number.isSafeInteger(state.ring) &&
    state.ring >= smallestJournal &&
    state.acknowledged <= state.written &&
    state.written - state.acknowledged <= state.ring;
  return sound ? state : null;
}

export interface JournalRecords {
  readonly entries: readonly LogEntry[];
  /** Bytes of the piece that these records take, filling included. */
  readonly length: number;
  /** Nothing more is in this lap of the ring. */
  readonly lapEnds: boolean;
  /** Sequence of the last one. */
  readonly sequence: bigint;
}

/**
 * The whole records at the beginning of a piece of the ring. Of length 0: the first is damaged.
 *
 * @param after - sequence of the record before them; those of an earlier lap have smaller ones
 */
export function parseJournalRecords(piece: Buffer, after: bigint): JournalRecords {
  const entries: LogEntry[] = [];
  let at = 0;
  let sequence = after;
  while (at + recordHead <= piece.length) {
    const length = piece.readUInt32LE(at);
    const end = at + recordHead + length;
    if (length > longestText || end > piece.length) break;
    const line = piece.subarray(at + recordHead, end);
    if (crc32(line, crc32(piece.subarray(at, at + 28))) !== piece.readUInt32LE(at + 28)) break;
    const stream = piece.readUInt8(at + 4);
    if (stream === 0) return { entries, length: at, lapEnds: true, sequence };
    const own = piece.readBigUInt64LE(at + 8);
    if (own <= sequence) break;
    sequence = own;
    entries.push({
      stream: stream === 1 ? 'stdout' : 'stderr',
      time: piece.readBigInt64LE(at + 16),
      line,
      partial: piece.readUInt8(at + 5) === 0,
    });
    at += Math.ceil((recordHead + length) / recordHead) * recordHead;
  }
  return { entries, length: at, lapEnds: false, sequence };
}
