import { HakoError } from '../base/errors.ts';

/** What a template handles: Go's string, int and []string. */
export type TagValue = string | number | readonly string[];

interface TagFunction {
  readonly parameters: readonly ('text' | 'number' | 'list' | 'any')[];
  call(...values: never[]): TagValue;
}

const maxPadding = 1024;

function define<const P extends TagFunction['parameters']>(
  parameters: P,
  call: (...values: { -readonly [K in keyof P]: ValueOf<P[K]> }) => TagValue,
): TagFunction {
  return { parameters, call: call as TagFunction['call'] };
}

type ValueOf<P> = P extends 'text'
  ? string
  : P extends 'number'
    ? number
    : P extends 'list'
      ? readonly string[]
      : TagValue;

/** Docker's functions of a tag template. */
const functions: Readonly<Record<string, TagFunction>> = {
  json: define(['any'], (value) => JSON.stringify(value)),
  split: define(['text', 'text'], (text, separator) => text.split(separator === '' ? /(?:)/u : separator)),
  join: define(['list', 'text'], (list, separator) => list.join(separator)),
  title: define(['text'], (text) => text.replace(/(?<![\p{L}\p{N}_'])\p{L}/gu, (letter) => letter.toUpperCase())),
  lower: define(['text'], (text) => text.toLowerCase()),
  upper: define(['text'], (text) => text.toUpperCase()),
  pad: define(['text', 'number', 'number'], (text, before, after) =>
    text === '' ? '' : ' '.repeat(inRange(before)) + text + ' '.repeat(inRange(after)),
  ),
  truncate: define(['text', 'number'], (text, length) => firstBytes(text, inRange(length))),
};

export const tagFunctionNames: readonly string[] = Object.keys(functions);

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` when the values do not fit the function. */
export function callTagFunction(name: string, values: readonly TagValue[]): TagValue {
  const definition = functions[name];
  if (definition === undefined)
    throw new HakoError('INVALID_OPTION', `function '${name}' is not known (known: ${tagFunctionNames.join(', ')})`);
  const fits =
    values.length === definition.parameters.length &&
    definition.parameters.every((parameter, index) => parameter === 'any' || parameter === typeOf(values[index]));
  if (!fits) {
    throw new HakoError(
      'INVALID_OPTION',
      `${name} takes (${definition.parameters.join(', ')}), not (${values.map(typeOf).join(', ')})`,
    );
  }
  return definition.call(...(values as never[]));
}

function typeOf(value: TagValue | undefined): string {
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'number' : 'list';
}

function inRange(count: number): number {
  if (count < 0 || count > maxPadding)
    throw new HakoError('INVALID_OPTION', `${count} is not between 0 and ${maxPadding}`);
  return count;
}

/** Docker cuts after so many bytes, through the middle of a character if need be; here the character goes as a whole. */
function firstBytes(text: string, length: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= length) return text;
  let end = length;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
