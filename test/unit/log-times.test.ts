import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLogTime } from '../../src/base/log-time.ts';
import { formatRfc3339, parseRfc3339 } from '../../src/base/rfc3339.ts';

const latest = BigInt(Date.parse('9999-12-31T23:59:59.999Z')) * 1_000_000n;
const earliest = BigInt(Date.parse('0000-01-01T00:00:00Z')) * 1_000_000n;

describe('RFC 3339', () => {
  it.each([
    ['2016-01-02T15:04:05Z', 1451747045000000000n],
    ['2016-01-02T15:04:05.000000001Z', 1451747045000000001n],
    ['2016-01-02T15:04:05.1Z', 1451747045100000000n],
    ['2016-01-02T17:04:05+02:00', 1451747045000000000n],
    ['2016-01-02T15:04:05.1234567899Z', 1451747045123456789n],
    ['1969-12-31T23:59:59.5Z', -500000000n],
  ])('reads %s to the nanosecond', (text, nanoseconds) => {
    expect(parseRfc3339(text)).toBe(nanoseconds);
  });

  it.each([
    '',
    'now',
    '2016-01-02',
    '2016-01-02T15:04Z',
    '2016-13-02T15:04:05Z',
    '2016-01-02T15:04:05',
    '2016-01-02T15:04:05.Z',
  ])('knows that %j is none', (text) => {
    expect(parseRfc3339(text)).toBeNull();
  });

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: earliest, max: latest }), (time) => {
        expect(parseRfc3339(formatRfc3339(time))).toBe(time);
        expect(parseRfc3339(formatRfc3339(time, 'short'))).toBe(time);
      }),
    );
  });

  it('writes nine digits, or none that say nothing', () => {
    expect(formatRfc3339(1451747045100000000n)).toBe('2016-01-02T15:04:05.100000000Z');
    expect(formatRfc3339(1451747045100000000n, 'short')).toBe('2016-01-02T15:04:05.1Z');
    expect(formatRfc3339(1451747045000000000n, 'short')).toBe('2016-01-02T15:04:05Z');
  });
});

describe('parseLogTime', () => {
  const now = Date.parse('2026-08-01T12:00:00Z');
  it.each([
    ['10m', '2026-08-01T11:50:00Z'],
    ['1h30m', '2026-08-01T10:30:00Z'],
    ['1.5s', '2026-08-01T11:59:58.5Z'],
    ['1136073600', '2006-01-01T00:00:00Z'],
    ['1136073600.000000001', '2006-01-01T00:00:00.000000001Z'],
    ['2006-01-02T15:04:05.1Z', '2006-01-02T15:04:05.1Z'],
    ['2006-01-02T15:04:05-07:00', '2006-01-02T22:04:05Z'],
  ])('reads %s', (text, time) => {
    expect(formatRfc3339(parseLogTime(text, now), 'short')).toBe(time);
  });

  it('takes a time without a zone as local time', () => {
    const local = (text: string) => BigInt(new Date(text).getTime()) * 1_000_000n;
    expect(parseLogTime('2026-01-31')).toBe(local('2026-01-31T00:00:00'));
    expect(parseLogTime('2026-07-31T12')).toBe(local('2026-07-31T12:00:00'));
    expect(parseLogTime('2026-07-31T12:30')).toBe(local('2026-07-31T12:30:00'));
    expect(parseLogTime('2026-07-31T12:30:15')).toBe(local('2026-07-31T12:30:15'));
  });

  it.each(['', 'yesterday', '10x', '2026-99-99', 'm'])('refuses %j', (text) => {
    expect(() => parseLogTime(text)).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }));
  });
});
