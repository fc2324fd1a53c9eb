import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.ts';
import { globalOptions } from '../../src/cli/help.ts';
import { reference } from '../../src/cli/reference.ts';

describe('docs/cli.md', () => {
  it('is what the table of commands says; npm run docs:cli writes it', () => {
    expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(reference());
  });
});

describe('the table of commands', () => {
  const tables = [...commands].map(([name, { options }]) => [name, options] as const);

  it.each([['hako', globalOptions] as const, ...tables])(
    'of %s has no spelling twice, and help for each',
    (_, table) => {
      const spellings = Object.entries(table).flatMap(([name, { short, aliases = [] }]) => [
        name,
        ...aliases,
        ...(short === undefined ? [] : [short]),
      ]);
      expect(spellings).toEqual([...new Set(spellings)]);
      for (const { type, value, help } of Object.values(table)) {
        expect(help).toMatch(/^\S.*[^.\s]$/);
        expect(value === undefined).toBe(type === 'flag');
      }
    },
  );
});
