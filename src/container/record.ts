import { z } from 'zod';
import { isContainerId } from '../base/ids.ts';

const time = z.iso.datetime({ offset: true }).or(z.iso.datetime());

/** How a container ended, as the supervisor's exit record has it. */
export const exitSchema = z.object({
  /** 0–255; 128 + the signal for one that was killed. */
  exitCode: z.number().int(),
  signal: z.number().int(),
  oomKilled: z.boolean(),
  finishedAt: time,
});

const processSchema = z.object({
  pid: z.number().int().positive(),
  /** proc_pid_stat(5) field 22: with the boot's id it tells this process from any other that had its pid. */
  startTicks: z.string().regex(/^\d+$/),
  bootId: z.string(),
});

/**
 * What is known of a container's life. `running` is a claim to be checked: the process that wrote it may be gone.
 */
export const stateSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('created') }),
  z.object({ status: z.literal('running'), startedAt: time, process: processSchema }),
  z.object({ status: z.literal('exited'), startedAt: time.nullable(), ...exitSchema.shape, exitKnown: z.boolean() }),
  z.object({ status: z.literal('removing') }),
]);

/** @public */
export type ContainerState = z.infer<typeof stateSchema>;

const pluginReferenceSchema = z.object({
  driver: z.string(),
  options: z.record(z.string(), z.json()),
});

/** What `create` settled, for good. `options` are the caller's, already parsed once; they are parsed again when read. */
export const recordSchema = z.object({
  id: z.string().refine(isContainerId, 'not a container id'),
  name: z.string(),
  createdAt: time,
  image: z.object({ id: z.string(), name: z.string() }),
  mode: pluginReferenceSchema,
  log: pluginReferenceSchema,
  options: z.json(),
});
