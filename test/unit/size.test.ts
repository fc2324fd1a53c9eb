import { describe, expect, it } from 'vitest';
import { parseSize } from '../../src/base/size.ts';

describe('parseSize', () => {
  it.each([
    ['32', 32, 32],
    ['32b', 32, 32],
    ['32 B', 32, 32],
    ['32k', 32_000, 32_768],
    ['32KB', 32_000, 32_768],
    ['32KiB', 32_000, 32_768],
    ['32 kib', 32_000, 32_768],
    ['10m', 10_000_000, 10_485_760],
    ['1.5g', 1_500_000_000, 1_610_612_736],
    ['.5k', 500, 512],
    ['32.', 32, 32],
    ['1t', 1e12, 2 ** 40],
    ['2p', 2e15, 2 ** 51],
    ['0.3', 0, 0],
  ])('reads %s as go-units does', (text, decimal, binary) => {
    expect(parseSize(text, 'size', 'decimal')).toBe(decimal);
    expect(parseSize(text, 'size', 'binary')).toBe(binary);
  });

  it.each(['', 'hello', '-32', ' 32 ', '32m b', '32bm', '32mm', '32  m', '1e3', '0x10', '9000p', 'k', '１０m'])(
    'refuses %j',
    (text) => {
      expect(() => parseSize(text, 'max-size', 'decimal')).toThrow(
        expect.objectContaining({
          code: 'HAKO_ERR_INVALID_OPTION',
          message: expect.stringMatching(/^max-size: invalid size: '/),
        }),
      );
    },
  );

  it('takes whole numbers of bytes, and no other numbers', () => {
    expect(parseSize(5, 'size')).toBe(5);
    for (const number of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
      expect(() => parseSize(number, 'size')).toThrow(/invalid size/);
  });
});
