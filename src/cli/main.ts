#!/usr/bin/env node
import { HakoError, Runtime, type RuntimeOptions } from '../index.ts';
import { type Command, parseLeading } from './command.ts';
import { execCommand } from './commands/exec.ts';
import { imagesCommand } from './commands/images.ts';
import { importCommand } from './commands/import.ts';
import { infoCommand } from './commands/info.ts';
import { logsCommand } from './commands/logs.ts';
import { psCommand } from './commands/ps.ts';
import { rmCommand } from './commands/rm.ts';
import { rmiCommand } from './commands/rmi.ts';
import { runCommand } from './commands/run.ts';
import { stopCommand } from './commands/stop.ts';

const commands: Readonly<Record<string, Command>> = {
  run: runCommand,
  exec: execCommand,
  ps: psCommand,
  logs: logsCommand,
  stop: stopCommand,
  rm: rmCommand,
  images: imagesCommand,
  import: importCommand,
  rmi: rmiCommand,
  info: infoCommand,
};

/** Docker's exit codes for a container that could not be run. */
const exitCodes: Readonly<Partial<Record<HakoError['code'], number>>> = {
  HAKO_ERR_COMMAND_NOT_FOUND: 127,
  HAKO_ERR_COMMAND_NOT_EXECUTABLE: 126,
};
const failureCode = 125;
/** As a shell tells of a program that SIGPIPE has ended: whoever read the output has gone. */
const brokenPipeCode = 141;

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`);
  return `Usage: hako [--root DIR] COMMAND …\n\n${lines.join('\n')}\n\nhako COMMAND --help tells more.\n`;
}

async function main(words: readonly string[]): Promise<number> {
  const { values, rest } = parseLeading(words, { root: { type: 'string' }, help: { type: 'boolean', short: 'h' } });
  const [name, ...args] = rest;
  const asked = values.help === true || name === 'help';
  if (name === undefined || asked) {
    (asked ? process.stdout : process.stderr).write(help());
    return asked ? 0 : failureCode;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new HakoError(
      'INVALID_OPTION',
      `There is no command '${name}' (there are: ${Object.keys(commands).join(', ')}).`,
    );
  if (args[0] === '--help' || args[0] === '-h') {
    process.stdout.write(`Usage: hako ${command.usage}\n\n${command.summary}\n`);
    return 0;
  }

  let runtime: Runtime | undefined;
  const openRuntime = async (options: RuntimeOptions = {}): Promise<Runtime> => {
    runtime ??= await Runtime.open({ ...(values.root === undefined ? {} : { root: values.root }), ...options });
    runtime.on('warning', ({ message }) => process.stderr.write(`hako: ${message}\n`));
    return runtime;
  };
  try {
    return await command.run({ args, io: process, openRuntime });
  } finally {
    await runtime?.close();
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

// Also what no stream's own handler sees: commands write, and end.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (!isBrokenPipe(error)) throw error;
    process.exitCode = brokenPipeCode;
  });

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (isBrokenPipe(error)) {
      process.exitCode = brokenPipeCode;
      return;
    }
    process.stderr.write(`hako: ${error instanceof HakoError ? error.message : String((error as Error).stack)}\n`);
    process.exitCode = error instanceof HakoError ? (exitCodes[error.code] ?? failureCode) : failureCode;
  },
);
