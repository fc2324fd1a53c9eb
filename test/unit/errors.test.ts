import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorKinds } from '../../src/base/error-codes.ts';
import { HakoError } from '../../src/base/errors.ts';

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
/** The rows of a table, without its head. */
const rowsAfter = (heading: string): string[][] => {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
};
const documented = rowsAfter('Codes').map(([code = '', kind = '', ...prose]) => ({
  code: code.replaceAll('`', ''),
  kind,
  prose,
}));
const kinds = rowsAfter('Kinds').map(([kind = '']) => kind.replaceAll('`', ''));

describe('docs/errors.md', () => {
  it('has every code of the table, with its kind, and no other, in the same order', () => {
    expect(documented.map(({ code, kind }) => `${code} ${kind}`)).toEqual(
      Object.entries(errorKinds).map(([code, kind]) => `HAKO_ERR_${code} ${kind}`),
    );
  });

  it('says of each what it means and what to do', () => {
    for (const { code, prose } of documented) {
      expect(prose, code).toHaveLength(2);
      for (const cell of prose) expect(cell, code).toMatch(/^.{10,}[.!]$/);
    }
  });

  it('explains every kind that a code has, and no other', () => {
    expect([...kinds].sort()).toEqual([...new Set<string>(Object.values(errorKinds))].sort());
  });
});

describe('HakoError', () => {
  it('carries its code, its kind and what it was given', () => {
    const cause = new Error('underneath');
    const error = new HakoError('SYSCALL_FAILED', 'It failed.', { cause, errno: 'EIO', operation: 'open', path: '/x' });
    expect(error).toMatchObject({
      name: 'HakoError',
      code: 'HAKO_ERR_SYSCALL_FAILED',
      kind: 'internal',
      message: 'It failed.',
      errno: 'EIO',
      operation: 'open',
      path: '/x',
    });
    expect(error.cause).toBe(cause);
    expect(Object.hasOwn(new HakoError('SYSCALL_FAILED', 'x'), 'cause')).toBe(false);
  });

  it('is known across two copies of the package, and from nothing else', async () => {
    // A query makes the module another one.
    const copy = (await import('../../src/base/errors.ts?copy' as string)) as typeof import('../../src/base/errors.ts');
    expect(copy.HakoError).not.toBe(HakoError);
    expect(new copy.HakoError('SYSCALL_FAILED', 'x')).toBeInstanceOf(HakoError);
    for (const other of [new Error('x'), { code: 'HAKO_ERR_SYSCALL_FAILED' }, null, undefined, 'x'])
      expect(other instanceof HakoError).toBe(false);
  });
});
