import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { HakoError } from '../base/errors.ts';
import type { Runtime, RuntimeOptions } from '../index.ts';

/** What a command writes to and reads from; a test gives its own. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface CommandContext {
  readonly args: readonly string[];
  readonly io: CommandIo;
  /** Opened when it is first asked for, so that `--help` touches nothing; closed after the command. */
  openRuntime(options?: RuntimeOptions): Promise<Runtime>;
}

export interface Command {
  readonly summary: string;
  /** The lines under "Usage:", without the word `hako`. */
  readonly usage: string;
  /** @returns the exit code */
  run(context: CommandContext): Promise<number>;
}

/**
 * Parses the options before the first word that is none, as Docker does: what follows belongs to the program in
 * the container.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 */
export function parseLeading<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const first = tokens.find((token) => token.kind === 'positional' || token.kind === 'option-terminator');
  const end = first === undefined ? args.length : first.index;
  const { values } = parseStrictly(args.slice(0, end), options);
  return { values, rest: args.slice(first?.kind === 'option-terminator' ? end + 1 : end) };
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseStrictly<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const unknown = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? /'(-[^']*)'/.exec(message)?.[1] : undefined;
    throw new HakoError(
      'INVALID_OPTION',
      unknown === undefined
        ? `${message.replace(/\.$/, '')}.`
        : `There is no option '${unknown}' (there are: ${Object.entries(options).map(spelling).join(', ')}).`,
      { cause },
    );
  }
}

function spelling([name, { short }]: [string, ParseArgsOptionsConfig[string]]): string {
  return short === undefined ? `--${name}` : `-${short}/--${name}`;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for what is no number */
export function parseNumber(text: string, option: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isNaN(number)) throw new HakoError('INVALID_OPTION', `${option} takes a number; '${text}' is none.`);
  return number;
}

/** Whether JSON is asked for. @throws HakoError `HAKO_ERR_INVALID_OPTION` for a form that there is not */
export function wantsJson(format: string | undefined): boolean {
  if (format === undefined || format === 'json') return format === 'json';
  throw new HakoError('INVALID_OPTION', `--format can only be json; '${format}' is not known.`);
}

/** `NAME=value` words to a record; a bare name takes its value from this process, as Docker's `-e NAME` does. */
export function parsePairs(
  words: readonly string[] | undefined,
  fallback: (name: string) => string | undefined = () => '',
): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const word of words ?? []) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? fallback(name) : word.slice(equals + 1);
    if (value !== undefined) pairs[name] = value;
  }
  return pairs;
}

export function onlyOne(rest: readonly string[], what: string): string {
  const [word, ...more] = rest;
  if (word === undefined || more.length > 0) throw new HakoError('INVALID_OPTION', `Name one ${what}.`);
  return word;
}
