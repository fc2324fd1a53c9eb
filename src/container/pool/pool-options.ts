import { z } from 'zod';
import { HakoError } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import { commandOption, inputOption, operationOptions } from '../call-options.ts';
import { defaultMaxOutput } from '../collect.ts';
import type { CreateOptions } from '../containers.ts';
import { containerPath, environment } from '../option-parts.ts';
import { type ContainerSettings, parseOptions } from '../options.ts';

/** What each program brings with it, or what has no meaning for a container that runs one program and is gone. */
const notForPools = [
  'name',
  'command',
  'stdin',
  'stdinOnce',
  'ephemeral',
  'detached',
  'autoRemove',
  'restart',
  'healthcheck',
] as const;

/**
 * How to make a pool: everything that its containers have in common, in the words of `create`.
 *
 * @typeParam Choice - what an image can be named by
 * @public
 */
export type PoolOptions<Choice> = Omit<CreateOptions<Choice>, (typeof notForPools)[number]> & {
  /** How many containers are kept ready, 1 to 1000. Default 2. Each is two small processes, some 130 KiB in all, and what the kernel keeps for it. */
  readonly size?: number;
};

/** What one program of a pool is run with. @public */
export interface PoolRunOptions extends OperationOptions {
  /** Written to the program's stdin, which then ends. Without it stdin is /dev/null. */
  readonly input?: string | Uint8Array;
  /** Added to the pool's, and over it. */
  readonly env?: ContainerSettings['env'];
  /** Default: the pool's, else the image's. Made when it is not there. */
  readonly workingDirectory?: string;
  /** Bytes that are kept of each stream. Default 16 MiB; a program that writes more is an error, and is killed. */
  readonly maxOutput?: number;
}

const poolSchema = z.looseObject({ ...operationOptions, size: z.int().min(1).max(1000).default(2) });

const runSchema = z.strictObject({
  ...operationOptions,
  command: commandOption,
  input: inputOption.optional(),
  env: environment.default([]),
  workingDirectory: containerPath.optional(),
  maxOutput: z.int().min(0).default(defaultMaxOutput),
});

const readySchema = z.strictObject(operationOptions);

export interface ParsedPool<Choice> {
  readonly size: number;
  readonly settings: CreateOptions<Choice>;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parsePool<Choice>(options: PoolOptions<Choice>): ParsedPool<Choice> {
  const { size } = parseOptions(poolSchema, options, 'pool');
  const given = notForPools.filter((name) => name in options);
  if (given.length > 0)
    throw new HakoError(
      'INVALID_OPTION',
      `These pool options are not valid: ${given.join(', ')}: a pool's containers run one program each and are gone; give the program to run().`,
    );
  const { size: _, ...settings } = options;
  if (Object.values(settings.namespaces ?? {}).some((choice) => choice !== 'private' && choice !== 'host'))
    throw new HakoError(
      'INVALID_OPTION',
      "These pool options are not valid: namespaces: a pool's containers share none with another container, which could reach them while they wait.",
    );
  return { size, settings: settings as unknown as CreateOptions<Choice> };
}

export type ParsedPoolRun = z.output<typeof runSchema>;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parsePoolRun(command: readonly string[], options: PoolRunOptions): ParsedPoolRun {
  return parseOptions(runSchema, { ...options, command }, 'run');
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseReady(options: OperationOptions): OperationOptions {
  return parseOptions(readySchema, options, 'ready') as OperationOptions;
}
