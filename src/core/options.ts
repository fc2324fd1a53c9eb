import { z } from 'zod';
import { inputOption, operationOptions } from '../container/call-options.ts';
import { defaultMaxOutput } from '../container/collect.ts';
import { stopTimeout } from '../container/option-parts.ts';
import { parseOptions } from '../container/options.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import type { Plugin, PluginReference } from '../contracts/plugin-definition.ts';
import type { RunOptions } from './runtime.ts';

/**
 * How to open a runtime.
 *
 * @public
 */
export interface RuntimeOptions extends OperationOptions {
  /** Where everything is kept. Default: `$HAKO_ROOT`, else `/var/lib/hako` for root and `~/.local/share/hako` for others. */
  readonly root?: string;
  /** Plugins besides the built-in ones. */
  readonly plugins?: readonly Plugin[];
  /** Default: `overlay2`, or `vfs` where overlay cannot be mounted. One root is used with one storage driver. */
  readonly storage?: PluginReference<'storage'> | string;
  /** The privilege mode of containers that name none. Default: `normal` for root, `rootless` for others. */
  readonly mode?: PluginReference<'privilege'> | string;
  /** The log driver of containers that name none. Default: `json-file`, three files of 10 MB. */
  readonly log?: PluginReference<'log'> | string;
  /** Under which control group containers' groups are made. Default: this process's own. */
  readonly cgroupParent?: string;
  /** Where hako.node, hako-supervisor and hako-worker are. Default: the platform's package, or a clone's build. */
  readonly nativeDirectory?: string;
}

const reference = z.union([
  z
    .string()
    .min(1)
    .transform((driver) => ({ driver, options: {} })),
  z.object({ driver: z.string().min(1), options: z.record(z.string(), z.json()) }),
]);

const plugin = z.custom<Plugin>(
  (value) => typeof value === 'function' && 'kind' in value && 'id' in value,
  'must be what definePlugin returns',
);

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parsePlugin(given: Plugin): Plugin {
  return parseOptions(z.strictObject({ plugin }), { plugin: given }, 'register').plugin;
}

const path = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'), 'must not hold a NUL byte');

const schema = z.strictObject({
  ...operationOptions,
  root: path.optional(),
  plugins: z.array(plugin).default([]),
  storage: reference.optional(),
  mode: reference.optional(),
  log: reference.optional(),
  cgroupParent: z.string().startsWith('/').optional(),
  nativeDirectory: path.optional(),
});

export type ParsedRuntimeOptions = z.output<typeof schema>;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseRuntimeOptions(options: RuntimeOptions): ParsedRuntimeOptions {
  return parseOptions(schema, options, 'Runtime.open');
}

const runSchema = z.looseObject({
  input: inputOption.optional(),
  maxOutput: z.int().min(0).default(defaultMaxOutput),
});

/** How a runtime is closed. @public */
export interface CloseOptions {
  /** Seconds that containers have to end by themselves, from their stop signal on; then they are killed. Default 0. */
  readonly timeout?: number;
}

const closeSchema = z.strictObject({ timeout: stopTimeout.default(0) });

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseCloseOptions(options: CloseOptions): Required<CloseOptions> {
  return parseOptions(closeSchema, options, 'close');
}

/** What `run` needs itself; the rest is for the container. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseRunOptions(options: RunOptions): RunOptions & { readonly maxOutput: number } {
  return { ...options, maxOutput: parseOptions(runSchema, options, 'run').maxOutput };
}
