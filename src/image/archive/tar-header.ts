import { HakoError } from '../../base/errors.ts';

export const blockSize = 512;

/** One header of a tar archive (POSIX.1-1988 ustar, with GNU's base-256 numbers), as it stands there. */
export interface TarHeader {
  readonly name: string;
  /** Bytes of data that follow, without the padding. */
  readonly size: number;
  readonly type: string;
  readonly linkName: string;
}

/**
 * @param block - 512 bytes.
 * @returns null for a block of zeros, which ends the archive
 * @throws HakoError `HAKO_ERR_INVALID_ARCHIVE`
 */
export function parseTarHeader(block: Uint8Array, offset: number): TarHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  if (octal(block.subarray(148, 156)) !== checksum(block)) {
    throw invalidArchive(`there is no tar header at byte ${offset} (the checksum is wrong)`);
  }
  const size = number(block.subarray(124, 136));
  if (size === null) throw invalidArchive(`the header at byte ${offset} has no sound size`);
  const isUstar = textOf(block.subarray(257, 262)) === 'ustar';
  // GNU's own form has other things where ustar has the prefix; its magic ends in a blank.
  const prefix = isUstar && block[262] === 0 ? textOf(block.subarray(345, 500)) : '';
  const name = textOf(block.subarray(0, 100));
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size,
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
    linkName: textOf(block.subarray(157, 257)),
  };
}

export function invalidArchive(reason: string): HakoError {
  return new HakoError(
    'INVALID_ARCHIVE',
    `The archive cannot be read: ${reason}. It is damaged, or not a tar archive.`,
  );
}

export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function checksum(block: Uint8Array): number {
  let sum = 8 * 0x20; // the checksum's own field counts as blanks
  for (let index = 0; index < blockSize; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  return sum;
}

function number(field: Uint8Array): number | null {
  if (((field[0] ?? 0) & 0x80) === 0) return octal(field);
  if (field[0] !== 0x80) return null; // negative, or beyond anything sane
  let value = 0n;
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}

function octal(field: Uint8Array): number | null {
  const match = /^[ ]*([0-7]*)[ \0]*$/.exec(Buffer.from(field).toString('latin1'));
  const digits = match?.[1];
  return digits === undefined ? null : Number.parseInt(digits === '' ? '0' : digits, 8);
}
