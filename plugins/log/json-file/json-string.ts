export const backslash = 0x5c;

// A slice would keep the whole block in memory for as long as a user keeps the line.
export function copy(bytes: Buffer, start: number, end: number): Buffer {
  const line = Buffer.allocUnsafe(end - start);
  bytes.copy(line, 0, start, end);
  return line;
}

const simpleEscapes = new Map(
  [...'"\\/bfnrt'].map((letter, index) => [letter.charCodeAt(0), '"\\/\b\f\n\r\t'.charCodeAt(index)]),
);

/** The bytes that a JSON string stands for; null when an escape is none. */
export function unescapeJson(bytes: Buffer, start: number, end: number): Buffer | null {
  const line = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte !== backslash) {
      line[length++] = byte;
      continue;
    }
    at++;
    const simple = simpleEscapes.get(bytes[at] as number);
    if (simple !== undefined) {
      line[length++] = simple;
      continue;
    }
    const unit = bytes[at] === 0x75 ? hex4(bytes, at + 1, end) : -1;
    if (unit < 0) return null;
    at += 4;
    if (unit < 0x80) {
      line[length++] = unit;
      continue;
    }
    // A pair of surrogates is one character; half of one is U+FFFD, as toString makes of it.
    const low =
      unit >= 0xd800 && unit < 0xdc00 && bytes[at + 1] === backslash && bytes[at + 2] === 0x75
        ? hex4(bytes, at + 3, end)
        : -1;
    const paired = low >= 0xdc00 && low < 0xe000;
    if (paired) at += 6;
    length += line.write((paired ? String.fromCharCode(unit, low) : String.fromCharCode(unit)).toWellFormed(), length);
  }
  return line.subarray(0, length);
}

function hex4(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number;
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
          ? (byte | 0x20) - 0x57
          : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
