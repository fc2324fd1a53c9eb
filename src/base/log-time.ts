import { parseDuration } from './duration.ts';
import { HakoError } from './errors.ts';
import { parseRfc3339 } from './rfc3339.ts';

const timestamp = /^(?<seconds>-?\d+)(?:\.(?<fraction>\d{1,9})\d*)?$/;
const dateOnly = /^\d{4}-\d\d-\d\d$/;
const zoneless = /^\d{4}-\d\d-\d\d[Tt ]\d\d(?::\d\d){0,2}(?:\.\d+)?$/;

/**
 * A point in time as `docker logs --since` takes it: seconds since the epoch with a fraction (`1136073600.000000001`),
 * a time ago (`10m`, `1h30m`), or an RFC 3339 time, whose end may be missing; without a zone it is local time. A Date
 * and nanoseconds since the epoch are taken too.
 *
 * @returns nanoseconds since the epoch
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 * @public
 */
export function parseLogTime(value: string | Date | bigint, now = Date.now()): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Date) return BigInt(value.getTime()) * 1_000_000n;
  const text = value.trim();
  const seconds = timestamp.exec(text)?.groups;
  if (seconds?.['seconds'] !== undefined) {
    const fraction = BigInt((seconds['fraction'] ?? '').padEnd(9, '0'));
    return BigInt(seconds['seconds']) * 1_000_000_000n + (text.startsWith('-') ? -fraction : fraction);
  }
  const ago = parseDuration(text);
  if (ago !== null) return BigInt(now) * 1_000_000n - BigInt(Math.round(ago));
  const time = parseRfc3339(text) ?? parseRfc3339(withLocalZone(text));
  if (time === null) {
    throw new HakoError(
      'INVALID_OPTION',
      `'${text.slice(0, 100)}' is not a time; write '10m' (ago), '2026-01-31T12:00:00Z' or seconds since the epoch.`,
    );
  }
  return time;
}

function withLocalZone(text: string): string {
  const full = dateOnly.test(text) ? `${text}T00:00:00` : zoneless.test(text) ? completed(text) : text;
  const offset = -new Date(full).getTimezoneOffset();
  if (Number.isNaN(offset)) return text;
  const minutes = Math.abs(offset);
  return `${full}${offset < 0 ? '-' : '+'}${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

/** `2026-01-31T12` and `2026-01-31T12:30` with the zeros that are left out. */
function completed(text: string): string {
  return text.length < '2006-01-02T15:04:05'.length ? `${text}:00:00`.slice(0, '2006-01-02T15:04:05'.length) : text;
}
