import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { parseLogTime } from '../base/log-time.ts';
import type { LogQuery } from '../contracts/log-driver.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { TerminalSize } from './attachment.ts';
import { defaultMaxOutput } from './collect.ts';
import type { AttachOptions, RemoveOptions, StartOptions } from './container.ts';
import type { CreateOptions } from './containers.ts';
import { detachKeys, signal as signalOption, stopTimeout, terminalSize, text } from './option-parts.ts';
import { type ParsedExecOptions, parseExecOptions, parseOptions } from './options.ts';
import { type UpdateOptions, updateOptions } from './resources.ts';
import type { StatsOptions } from './stats.ts';
import type { GivenStop } from './stopper.ts';
import type { WaitOptions } from './waiter.ts';

/** What an operation that waits accepts. */
export const operationOptions = { signal: z.instanceof(AbortSignal, { error: 'give an AbortSignal' }).optional() };

const attachOptions = z.strictObject({
  ...operationOptions,
  stdin: z.boolean().optional(),
  stdout: z.boolean().optional(),
  stderr: z.boolean().optional(),
  detachKeys: detachKeys.optional(),
});
const startOptions = z.strictObject({ ...operationOptions, attach: attachOptions.optional() });
const stopOptions = z.strictObject({
  ...operationOptions,
  stopSignal: signalOption.optional(),
  timeout: stopTimeout.optional(),
});
const removeOptions = z.strictObject({ ...operationOptions, force: z.boolean().optional() });
const waitOptions = z.strictObject({
  ...operationOptions,
  condition: z.enum(['not-running', 'next-exit', 'removed']).optional(),
});
const updateWithSignal = updateOptions.extend(operationOptions);
const pauseOptions = z.strictObject(operationOptions);
const killOptions = z.strictObject(operationOptions);
const statsOptions = z.strictObject({ ...operationOptions, interval: z.number().min(0.01).max(86_400).optional() });
const topOptions = z.strictObject({ ...operationOptions, psArgs: z.string().max(1000).optional() });
const logTime = z
  .union([z.bigint(), z.date()], {
    error: 'give a Date, or nanoseconds since the epoch as a bigint, such as parseLogTime makes',
  })
  .transform((time) => parseLogTime(time));
const logQuery = z.strictObject({
  ...operationOptions,
  follow: z.boolean().optional(),
  tail: z.int().min(0).optional(),
  since: logTime.optional(),
  until: logTime.optional(),
  stdout: z.boolean().optional(),
  stderr: z.boolean().optional(),
});
/** A program to run. */
export const commandOption = z
  .array(text, { error: "write the program and its arguments as a list, such as ['ls', '-l']" })
  .min(1, 'name a program, and its arguments');
/** What a program is to read. */
export const inputOption = z.union([z.string(), z.instanceof(Uint8Array)], {
  error: 'give a string or bytes (a Buffer, a Uint8Array)',
});
const execCommand = z.strictObject({ command: commandOption });
const execCall = z.looseObject({
  ...operationOptions,
  maxOutput: z.int().min(0).default(defaultMaxOutput),
  input: inputOption.optional(),
});

/** A further program to run, checked. */
export interface GivenExec extends OperationOptions {
  readonly command: readonly string[];
  readonly exec: ParsedExecOptions;
  readonly maxOutput: number;
  /** All that the program is to read. */
  readonly input?: string | Uint8Array;
}

/** Of most calls, which are on the path of every short program. */
const noExecOptions = { exec: parseExecOptions({}), maxOutput: defaultMaxOutput };

function givenExec(program: unknown, options: unknown): GivenExec {
  const { command } = parseOptions(execCommand, { command: program }, 'exec');
  if (options === undefined) return { command, ...noExecOptions };
  const { signal, maxOutput, input, ...settings } = parseOptions(execCall, options, 'exec');
  return {
    command,
    exec: parseExecOptions(input === undefined ? settings : { ...settings, stdin: true }),
    maxOutput,
    ...(input === undefined ? {} : { input }),
    ...(signal === undefined ? {} : { signal }),
  };
}

const createOptions = z.looseObject(operationOptions);

/** Checks what was given to a method of a container, or to the one that makes it. Each throws `HAKO_ERR_INVALID_OPTION`, naming what is wrong. */
export const given = {
  /** The image is looked at by whoever knows images, the rest by {@link parseContainerOptions}. */
  create: <Choice>(options: CreateOptions<Choice>): CreateOptions<Choice> => {
    parseOptions(createOptions, options, 'container');
    return options;
  },
  start: (options: unknown) => parseOptions(startOptions, options, 'start') as StartOptions,
  attach: (options: unknown) => parseOptions(attachOptions, options, 'attach') as AttachOptions,
  stop: (options: unknown) => parseOptions(stopOptions, options, 'stop') as GivenStop,
  remove: (options: unknown) => parseOptions(removeOptions, options, 'remove') as RemoveOptions,
  pause: (options: unknown) => parseOptions(pauseOptions, options, 'pause') as OperationOptions,
  stats: (options: unknown) => parseOptions(statsOptions, options, 'stats') as StatsOptions,
  update: (options: unknown): UpdateOptions => {
    parseOptions(updateWithSignal, options, 'update');
    return options as UpdateOptions;
  },
  kill: (options: unknown) => parseOptions(killOptions, options, 'kill'),
  wait: (options: unknown) => parseOptions(waitOptions, options, 'wait') as WaitOptions,
  top: (options: unknown) => parseOptions(topOptions, options, 'top'),
  logs: (query: unknown) => parseOptions(logQuery, query, 'log') as LogQuery & OperationOptions,
  exec: givenExec,
  size: (size: unknown): TerminalSize => parseOptions(terminalSize, size, 'resize'),
};

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for what is no text. */
export function givenName(name: unknown, of: string): string {
  if (typeof name === 'string') return name;
  throw new HakoError(
    'INVALID_OPTION',
    `${of} is named by a string; this was ${name === null ? 'null' : typeof name}.`,
  );
}
