import { parseArgs } from 'node:util';
import { HakoError } from '../base/errors.ts';
import { absenceOf } from './absent-options.ts';

/** One option of a command: what it takes, and what `--help` and docs/cli.md say of it. */
export interface OptionSpec {
  /** `flag`: none; `text` and `number`: one value, the last that is given; `list`: one each time. */
  readonly type: 'flag' | 'text' | 'number' | 'list';
  readonly short?: string;
  /** Other names of it, as people know them. */
  readonly aliases?: readonly string[];
  /** What stands for the value in a usage line. */
  readonly value?: string;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

interface Taken {
  readonly flag: boolean | undefined;
  readonly text: string | undefined;
  readonly number: number | undefined;
  readonly list: readonly string[];
}

/** What was given for the options of a table. */
export type Values<Table extends OptionTable> = { readonly [Name in keyof Table]: Taken[Table[Name]['type']] };

export interface ParsedWords<Table extends OptionTable> {
  readonly values: Values<Table>;
  readonly operands: readonly string[];
}

/**
 * Parses the words of a command line as pflag does, which Docker uses: the word after an option that takes a value is
 * that value, also when it begins with a dash.
 *
 * @param leading - only the options before the first word that is none: what follows is a program's
 * @param command - whose help an error names
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 */
export function parseWords<Table extends OptionTable>(
  table: Table,
  words: readonly string[],
  { leading, command }: { readonly leading: boolean; readonly command: string },
): ParsedWords<Table> {
  const { tokens } = parseArgs({
    args: [...words],
    options: nodeOptions(table),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const first = leading ? tokens.find(({ kind }) => kind !== 'option')?.index : undefined;
  const values = new Map<string, unknown>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (first !== undefined && token.index >= first) break;
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const [name, spec] = find(table, token.name);
    if (spec === undefined)
      throw new HakoError(
        'INVALID_OPTION',
        `There is no option '${token.rawName}'; ${absenceOf(token.name, command)}.`,
      );
    values.set(name, take(spec, token.rawName, token.value, values.get(name)));
  }
  if (first !== undefined) operands.push(...words.slice(words[first] === '--' ? first + 1 : first));
  for (const [name, { type }] of Object.entries(table)) if (type === 'list' && !values.has(name)) values.set(name, []);
  return { values: Object.fromEntries(values) as Values<Table>, operands };
}

function nodeOptions(table: OptionTable) {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, { type, short, aliases = [] }]) => {
      const own = { type: type === 'flag' ? ('boolean' as const) : ('string' as const), multiple: true };
      return [
        [name, short === undefined ? own : { ...own, short }],
        ...aliases.map((alias): [string, typeof own] => [alias, own]),
      ];
    }),
  );
}

function find(table: OptionTable, word: string): readonly [string, OptionSpec | undefined] {
  const found = Object.entries(table).find(([name, { aliases }]) => name === word || aliases?.includes(word));
  return found ?? [word, undefined];
}

function take({ type }: OptionSpec, spelling: string, value: string | undefined, before: unknown): unknown {
  if (type === 'flag') return takeFlag(spelling, value);
  if (value === undefined) throw new HakoError('INVALID_OPTION', `${spelling} needs a value.`);
  if (type === 'number') return takeNumber(spelling, value);
  return type === 'list' ? [...((before as readonly string[] | undefined) ?? []), value] : value;
}

function takeFlag(spelling: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new HakoError('INVALID_OPTION', `${spelling} is on or off: write ${spelling} or ${spelling}=false.`);
}

function takeNumber(spelling: string, text: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isNaN(number)) throw new HakoError('INVALID_OPTION', `${spelling} takes a number; '${text}' is none.`);
  return number;
}
