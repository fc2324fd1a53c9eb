import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';

/** The files that node loads before the first line of one runs. */
function loadedWith(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*"(\.[^"]+)"/g);
  for (const [, file = ''] of imports) loadedWith(join(dirname(path), file), seen);
  return seen;
}

describeWith({ paths: [built.cli] }, 'the start of the command', () => {
  it('loads neither the library nor what that needs, until a command asks for it', () => {
    const files = [...loadedWith(built.cli)];
    const code = files.map((file) => readFileSync(file, 'utf8')).join('\n');
    expect(code).toContain('There is no command');
    expect(code).not.toMatch(/ZodObject|node:sqlite|tsyringe/);
    expect(files.length).toBeLessThan(8);
  });
});
