import { readFileSync } from 'node:fs';
import { built } from '../../support/built.ts';

/** The fields of an interface by name, with their types as text. */
export type Fields = ReadonlyMap<string, string>;

const entries = ['libhako', 'libhako-testing'];

/** What the reports of the public API say of interfaces: one that gets a field is known with it. */
export const interfaces: ReadonlyMap<string, Fields> = readInterfaces(
  entries.map((entry) => readFileSync(`${built.repository}api/${entry}.api.md`, 'utf8')).join('\n'),
);

/** Those by which callers say how something is to be done. */
export const optionTypes: readonly string[] = [...interfaces.keys()].filter((name) =>
  /(Options|Query|Filters|Limits|TerminalSize|MemoryFile)$/.test(name),
);

function readInterfaces(report: string): ReadonlyMap<string, Fields> {
  const found = new Map<string, { own: [string, string][]; parents: string[] }>();
  for (const [, name = '', parents = '', body = ''] of report.matchAll(
    /^export interface (\w+)(?:<[^>]*>)? (?:extends (.+) )?\{\n([\s\S]*?)^\}/gm,
  )) {
    const fields = [...body.matchAll(/^ {4}readonly '?([\w!]+)'?\??: (.+);$/gm)];
    found.set(name, {
      own: fields.map(([, field = '', type = '']) => [field, type]),
      parents: parents.match(/\w+/g) ?? [],
    });
  }
  const all = (name: string): [string, string][] => {
    const entry = found.get(name);
    return entry === undefined ? [] : [...entry.parents.flatMap(all), ...entry.own];
  };
  return new Map([...found.keys()].map((name) => [name, new Map(all(name))]));
}
