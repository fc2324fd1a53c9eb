import { HakoError } from '../base/errors.ts';
import type { Runtime, RuntimeOptions } from '../index.ts';
import { commands } from './commands/index.ts';
import { brokenPipeCode, exitCodeOf, failureCode, isBrokenPipe } from './exit-code.ts';
import { commandHelp, globalOptions, help } from './help.ts';
import { inShort } from './long-names.ts';
import { parseWords, type Values } from './options.ts';
import { visible } from './output/visible.ts';
import { sentenceOf } from './sentence.ts';
import { defined } from './values.ts';

async function main(words: readonly string[]): Promise<number> {
  const { values, operands } = parseWords(globalOptions, words, { leading: true, command: 'hako' });
  const [given, ...args] = inShort(operands);
  const name = values.version === true ? 'version' : given;
  if (values.help === true || name === 'help') return printHelp(name === 'help' ? args[0] : name);
  if (name === undefined) {
    process.stderr.write(help());
    return failureCode;
  }
  const command = commandNamed(name);
  if (asksForHelp(args)) return printHelp(name);

  let runtime: Runtime | undefined;
  const openRuntime = async (): Promise<Runtime> => {
    runtime ??= await (await import('../index.ts')).Runtime.open(runtimeOptions(values));
    runtime.on('warning', ({ message }) => process.stderr.write(`hako: ${visible(message)}\n`));
    return runtime;
  };
  try {
    return await command.execute(args, { io: process, openRuntime });
  } catch (error) {
    return failed(error, name);
  } finally {
    await runtime?.close();
  }
}

function runtimeOptions(values: Values<typeof globalOptions>): RuntimeOptions {
  return defined<RuntimeOptions>({
    root: values.root,
    storage: values['storage-driver'],
    cgroupParent: values['cgroup-parent'],
  });
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
function commandNamed(name: string) {
  const command = commands.get(name);
  if (command !== undefined) return command;
  throw new HakoError('INVALID_OPTION', `There is no command '${name}'; hako --help lists those that there are.`);
}

/** Says what has gone wrong. @returns the exit code */
function failed(error: unknown, command?: string): number {
  if (!isBrokenPipe(error)) process.stderr.write(`hako: ${sentenceOf(error)}\n`);
  return exitCodeOf(error, command);
}

/** `-h` is the host's name for some, so only the first word can be it. */
function asksForHelp(args: readonly string[]): boolean {
  return args[0] === '--help' || (args[0] === '-h' && args.length === 1);
}

function printHelp(name: string | undefined): number {
  process.stdout.write(name === undefined ? help() : commandHelp(commandNamed(name)));
  return 0;
}

// Also what no stream's own handler sees: commands write, and end.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (!isBrokenPipe(error)) throw error;
    process.exitCode = brokenPipeCode;
  });

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode ??= code;
  },
  (error: unknown) => {
    process.exitCode = failed(error);
  },
);
