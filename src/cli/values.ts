import { HakoError } from '../base/errors.ts';
import { parseLogTime } from '../base/log-time.ts';

/** Leaves out what is undefined: with exact optional properties an absent option and `undefined` differ. */
export function defined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

/** A list that nothing was given for is left to its default. */
export function orNothing(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** `name=value` in two; null for what has no `=`. */
export function splitPair(word: string): readonly [name: string, value: string] | null {
  const equals = word.indexOf('=');
  return equals < 0 ? null : [word.slice(0, equals), word.slice(equals + 1)];
}

/**
 * `NAME=value` words to a record.
 *
 * @param bare - the value of a name alone; undefined: it is left out
 */
export function parsePairs(
  words: readonly string[],
  bare: (name: string) => string | undefined = () => '',
): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const word of words) {
    const [name, value] = splitPair(word) ?? [word, bare(word)];
    if (value !== undefined) pairs[name] = value;
  }
  return pairs;
}

/** A point in time, as `parseLogTime` reads it. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseTime(text: string): Date {
  return new Date(Number(parseLogTime(text) / 1_000_000n));
}

/** `key=value` filters, gathered by key. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseFilters<Key extends string>(
  words: readonly string[],
  known: readonly Key[],
): Partial<Record<Key, readonly string[]>> {
  const filters: Partial<Record<Key, readonly string[]>> = {};
  for (const word of words) {
    const [name, value] = splitPair(word) ?? [word, undefined];
    const key = known.find((each) => each === name);
    if (key === undefined || value === undefined)
      throw new HakoError('INVALID_OPTION', `'${word}' is no filter: write one of ${known.join(', ')}, = and a value.`);
    filters[key] = [...(filters[key] ?? []), value];
  }
  return filters;
}
