import { HakoError } from '../base/errors.ts';
import type { Runtime } from '../index.ts';
import { failureCode } from './exit-code.ts';
import { type OptionTable, parseWords, type Values } from './options.ts';
import { sentenceOf } from './sentence.ts';

/** What a command writes to and reads from; a test gives its own. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface CommandContext {
  readonly io: CommandIo;
  /** Opened when it is first asked for, so that a mistake in an option touches nothing; closed after the command. */
  openRuntime(): Promise<Runtime>;
}

/** One call of a command. */
export interface Call<Table extends OptionTable> extends CommandContext {
  readonly values: Values<Table>;
  readonly operands: readonly string[];
}

/** The words after the options: how a usage line shows them, and how many there may be. */
export interface Operands {
  readonly usage: string;
  readonly min: number;
  /** Default: as many as one likes. */
  readonly max?: number;
}

interface CommandDescription<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly options: Table;
  readonly operands: Operands;
  /** What follows the first operand is a program's: options come before it. */
  readonly leading?: boolean;
  /** What else there is to say, in Markdown. */
  readonly details?: string;
}

interface CommandSpec<Table extends OptionTable> extends CommandDescription<Table> {
  /** @returns the exit code */
  run(call: Call<Table>): Promise<number>;
}

/** A command as the table of commands has it. */
export interface Command extends CommandDescription<OptionTable> {
  /** @throws HakoError `HAKO_ERR_INVALID_OPTION` for words that the command does not take, and what it fails with itself. */
  execute(words: readonly string[], context: CommandContext): Promise<number>;
}

export function defineCommand<const Table extends OptionTable>(spec: CommandSpec<Table>): Command {
  const command = `hako ${spec.name}`;
  const { usage, min, max = Number.POSITIVE_INFINITY } = spec.operands;
  return {
    ...spec,
    async execute(words, context) {
      const parsed = parseWords(spec.options, words, { leading: spec.leading ?? false, command });
      const count = parsed.operands.length;
      if (count < min || count > max)
        throw new HakoError('INVALID_OPTION', `Write ${command}${usage === '' ? '' : ` ${usage}`}; see --help.`);
      return spec.run({ ...context, ...parsed });
    },
  };
}

/** Does the same to each operand at once, prints what each came to, and goes on when one fails. */
export async function forEachOperand(
  { operands, io }: Pick<Call<OptionTable>, 'operands' | 'io'>,
  work: (name: string) => Promise<string>,
  isFailure: (error: HakoError) => boolean = () => true,
): Promise<number> {
  let code = 0;
  const results = operands.map(work);
  // Each is looked at in its turn; until then none is unheard of.
  for (const result of results) result.catch(() => {});
  for (const result of results) {
    try {
      io.stdout.write(`${await result}\n`);
    } catch (error) {
      if (!(error instanceof HakoError)) throw error;
      io.stderr.write(`hako: ${sentenceOf(error)}\n`);
      if (isFailure(error)) code = failureCode;
    }
  }
  return code;
}
