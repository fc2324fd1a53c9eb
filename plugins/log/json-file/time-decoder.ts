const zero = 0x30;
const letterZ = 0x5a;
const secondsLength = '2006-01-02T15:04:05'.length;

/** Decodes `2006-01-02T15:04:05.999999999Z`, the only form in which Docker and hako write times. */
export class TimeDecoder {
  #seconds = Number.NaN;
  #nanoseconds = 0n;

  /** Nanoseconds since the epoch, or null. */
  decode(bytes: Buffer, start: number, end: number): bigint | null {
    if (bytes[end - 1] !== letterZ || end - start <= secondsLength) return null;
    const seconds = secondsAt(bytes, start);
    const fraction = fractionOf(bytes, start + secondsLength, end - 1);
    if (Number.isNaN(seconds) || fraction < 0) return null;
    if (seconds !== this.#seconds) {
      this.#seconds = seconds;
      this.#nanoseconds = BigInt(seconds) * 1_000_000_000n;
    }
    return this.#nanoseconds + BigInt(fraction);
  }
}

function secondsAt(bytes: Buffer, at: number): number {
  if (
    bytes[at + 4] !== 0x2d ||
    bytes[at + 7] !== 0x2d ||
    bytes[at + 10] !== 0x54 ||
    bytes[at + 13] !== 0x3a ||
    bytes[at + 16] !== 0x3a
  )
    return Number.NaN;
  const year = two(bytes, at) * 100 + two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  const hour = two(bytes, at + 11);
  const minute = two(bytes, at + 14);
  const second = two(bytes, at + 17);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60))
    return Number.NaN;
  return (daysBefore(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
}

function two(bytes: Buffer, at: number): number {
  const tens = (bytes[at] as number) - zero;
  const ones = (bytes[at + 1] as number) - zero;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Days from the epoch to a day of the Gregorian calendar; the year is taken to begin with March, so that the leap day is its last. */
function daysBefore(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const m = month > 2 ? month - 3 : month + 9;
  return (
    365 * y +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    Math.floor((153 * m + 2) / 5) +
    day -
    1 -
    719_468
  );
}

/** Nanoseconds of `.123`; -1 when it is none. */
function fractionOf(bytes: Buffer, start: number, end: number): number {
  if (start === end) return 0;
  const digits = end - start - 1;
  if (bytes[start] !== 0x2e || digits < 1 || digits > 9) return -1;
  let value = 0;
  for (let at = start + 1; at < end; at++) {
    const digit = (bytes[at] as number) - zero;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value * 10 ** (9 - digits);
}
