import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const namesIn = (text: string): Set<string> =>
  new Set(text.match(/\b(CVE-\d{4}-\d+|GHSA(-[a-z0-9]{4}){1,3}|GO-\d{4}-\d+)\b/g));

const text = read('docs/security.md');
const rows = text
  .split('\n')
  .filter((line) => /^\| (CVE|GHSA|GO)-/.test(line))
  .map((line) => ({
    names: [...namesIn(line)],
    files: [...line.matchAll(/\]\(\.\.\/(test\/[^)]+)\)/g)].map(([, path = '']) => path),
  }));

/** Pairs of a hole and a file that names it. */
const documented = rows.flatMap(({ names, files }) => names.flatMap((name) => files.map((file) => `${name} ${file}`)));
const tested = ['test/security', 'test/native'].flatMap((directory) =>
  readdirSync(`${root}${directory}`)
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => [...namesIn(read(`${directory}/${file}`))].map((name) => `${name} ${directory}/${file}`)),
);

describe('docs/security.md', () => {
  it('names every hole that a test is named after, with every file that has one', () => {
    expect(tested.length).toBeGreaterThan(60);
    expect(tested.filter((pair) => !documented.includes(pair))).toEqual([]);
  });

  it('names none but those, and of each row all files name one of its holes', () => {
    for (const { names, files } of rows) {
      expect(files.filter((file) => !existsSync(`${root}${file}`))).toEqual([]);
      for (const name of names)
        expect(
          files.some((file) => tested.includes(`${name} ${file}`)),
          name,
        ).toBe(true);
      for (const file of files)
        expect(
          names.some((name) => tested.includes(`${name} ${file}`)),
          file,
        ).toBe(true);
    }
    // Elsewhere in the text there is none that no row has.
    expect([...namesIn(text)].sort()).toEqual(rows.flatMap(({ names }) => names).sort());
  });
});
