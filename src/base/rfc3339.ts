import { HakoError } from './errors.ts';

const nanosecondsPerMillisecond = 1_000_000n;
const nanosecondsPerSecond = 1_000_000_000n;
const pattern =
  /^(?<date>\d{4}-\d\d-\d\d)[Tt ](?<time>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9})\d*)?(?<zone>[Zz]|[+-]\d\d:\d\d)$/;

/** Nanoseconds since the epoch of an RFC 3339 time with any number of fractional digits; null when it is none. */
export function parseRfc3339(text: string): bigint | null {
  const match = pattern.exec(text)?.groups;
  if (match === undefined) return null;
  const { date, time, fraction = '', zone = '' } = match;
  const milliseconds = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) return null;
  return BigInt(milliseconds) * nanosecondsPerMillisecond + BigInt(fraction.padEnd(9, '0'));
}

/**
 * The time in UTC, `2006-01-02T15:04:05.000000000Z`: all nine digits, as `docker logs --timestamps` prints them, or
 * without trailing zeros, as Go's RFC3339Nano and Docker's files have them.
 */
export function formatRfc3339(nanoseconds: bigint, digits: 'fixed' | 'short' = 'fixed'): string {
  const fraction = ((nanoseconds % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
  const seconds = (nanoseconds - fraction) / nanosecondsPerSecond;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime()))
    throw new HakoError(
      'INVALID_OPTION',
      `${nanoseconds} ns since the epoch is no time that can be written; give one between the years 0 and 9999.`,
    );
  const padded = fraction.toString().padStart(9, '0');
  const shown = digits === 'fixed' ? padded : padded.replace(/0+$/, '');
  return `${date.toISOString().slice(0, 19)}${shown === '' ? '' : `.${shown}`}Z`;
}
