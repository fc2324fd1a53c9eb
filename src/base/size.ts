import { HakoError } from './errors.ts';

/** How much a `k` is: 1024 (memory: Docker's `--memory`) or 1000 (files: Docker's `max-size`). */
export type SizeUnits = 'binary' | 'decimal';

const base = { binary: 1024, decimal: 1000 } as const satisfies Record<SizeUnits, number>;
const prefixes = ['', 'k', 'm', 'g', 't', 'p'];
const pattern = /^(?<number>\d+(?:\.\d*)?|\.\d+) ?(?:(?<prefix>[kmgtp])(?:i?b)?|b)?$/i;

/**
 * Reads a size as Docker does (go-units, RAMInBytes and FromHumanSize): a number of bytes, or a text with at most
 * one space, `k`, `m`, `g`, `t` or `p`, and `b` or `ib`, in either case. Which of `kb` and `kib` is written makes no
 * difference: `units` alone says how much a `k` is. A fraction of a byte is dropped.
 *
 * @param option what the size is for; the error's sentence begins with it
 * @returns bytes
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` unless it is a size of at most 2^53 - 1 bytes.
 */
export function parseSize(value: number | string, option: string, units: SizeUnits = 'binary'): number {
  const bytes = typeof value === 'number' ? value : parseText(value, units);
  if (bytes === null || !Number.isSafeInteger(bytes) || bytes < 0 || Object.is(bytes, -0)) {
    throw new HakoError(
      'INVALID_OPTION',
      `${option}: invalid size: '${String(value).slice(0, 100)}'; write a whole number of bytes, or one with a unit, such as '512k', '10m' or '1.5g'.`,
    );
  }
  return bytes;
}

function parseText(text: string, units: SizeUnits): number | null {
  const match = pattern.exec(text)?.groups;
  if (match?.['number'] === undefined) return null;
  return Math.trunc(Number(match['number']) * base[units] ** prefixes.indexOf(match['prefix']?.toLowerCase() ?? ''));
}
