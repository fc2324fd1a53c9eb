import { z } from 'zod';
import { type ContainerId, isContainerId } from '../base/ids.ts';
import { isSameProcess, processSchema } from '../host/process-identity.ts';
import type { ContainerDefaults } from '../oci/image-config.ts';

const time = z.iso.datetime();

/** How a container ended: the supervisor's exit record (`exit.json` in the container's directory). */
export const exitSchema = z.object({
  exitCode: z.number().int(),
  signal: z.number().int(),
  oomKilled: z.boolean(),
  finishedAt: time,
});

const groupSchema = z.object({
  version: z.literal([1, 2]),
  directory: z.string(),
  controllers: z.array(z.string()),
});

/** What is remembered from one run to the next of a container that is to be restarted, or removed, or looked after. */
export const lifeSchema = z.object({
  /** By the policy, since somebody started it. */
  restarts: z.number().int().nonnegative(),
  /** What was waited before the last of them, in milliseconds. */
  delay: z.number().nonnegative(),
  /** Who looks after it; null: the next that opens the root. */
  keeper: processSchema.nullable(),
  /** The boot in which somebody stopped it. */
  stopped: z.string().nullable(),
  /** Who stops it only to start it again: its end is not the end. */
  restartedBy: processSchema.exactOptional(),
});

const life = lifeSchema.exactOptional();

/** `starting` and `running` are claims of whoever wrote them, to be checked against the process they name. */
export const stateSchema = z.discriminatedUnion('status', [
  // Until its files are there. Whoever opens the root when its maker is gone removes it.
  z.object({ status: z.literal('creating') }),
  z.object({ status: z.literal('created') }),
  z.object({
    status: z.literal('starting'),
    by: processSchema,
    cgroups: z.array(groupSchema),
    /** A pool keeps it, for a program that is yet to come. */
    waiting: z.literal(true).exactOptional(),
    life,
  }),
  z.object({
    status: z.literal('running'),
    startedAt: time,
    /** Of the container's first process, on the host. */
    pid: z.number().int().positive(),
    supervisor: processSchema,
    cgroups: z.array(groupSchema),
    life,
  }),
  z.object({ status: z.literal('exited'), startedAt: time.nullable(), ...exitSchema.shape, life }),
  // A claim of its keeper, who starts it at that time.
  z.object({
    status: z.literal('restarting'),
    startedAt: time.nullable(),
    ...exitSchema.shape,
    restartAt: time,
    life: lifeSchema,
  }),
  // Its supervisor and its exit record are gone: a power cut, or somebody's `kill -9` and `rm`.
  z.object({
    status: z.literal('lost'),
    startedAt: time.nullable(),
    reason: z.string(),
    cgroups: z.array(groupSchema),
    life,
  }),
  // A persisted intent: when `by` is gone, whoever opens the root next finishes it. None: it has given up.
  z.object({ status: z.literal('removing'), by: processSchema.exactOptional(), cgroups: z.array(groupSchema) }),
]);

export type RecordedState = z.infer<typeof stateSchema>;

/** What an image's config says of its containers, less what is of no use after `create`. */
const imageDefaultsSchema: z.ZodType<ContainerDefaults> = z.object({
  env: z.array(z.string()),
  entrypoint: z.array(z.string()),
  cmd: z.array(z.string()),
  user: z.string(),
  workingDir: z.string(),
  labels: z.record(z.string(), z.string()),
  exposedPorts: z.array(z.string()),
  volumes: z.array(z.string()),
  stopSignal: z.string().exactOptional(),
  shell: z.array(z.string()).exactOptional(),
  healthcheck: z
    .object({
      test: z.array(z.string()),
      interval: z.number().exactOptional(),
      timeout: z.number().exactOptional(),
      startPeriod: z.number().exactOptional(),
      startInterval: z.number().exactOptional(),
      retries: z.number().exactOptional(),
    })
    .exactOptional(),
});

const referenceSchema = z.object({ driver: z.string(), options: z.record(z.string(), z.json()) });

/** What `create` settled for good. */
export const settledSchema = z.object({
  id: z.string().refine((text): text is ContainerId => isContainerId(text), 'not a container id'),
  name: z.string(),
  createdAt: time,
  /** Who made it: an ephemeral container whose maker is gone is removed by whoever opens the root next. */
  createdBy: processSchema,
  image: z.object({ id: z.string(), name: z.string() }),
  mode: referenceSchema,
  log: referenceSchema,
  /** The caller's options as given, parsed by their own schema whenever they are used. */
  options: z.json(),
  /** The image's as they were: a container does not change when its image's name moves on. */
  imageDefaults: imageDefaultsSchema,
});

export type SettledRecord = z.infer<typeof settledSchema>;

export type ContainerRecord = SettledRecord & { readonly state: RecordedState };

/** Whether two claims are of one run, or both of none. */
export function isSameRun(one: RecordedState, other: RecordedState): boolean {
  if (one.status !== 'running' || other.status !== 'running') return one.status === other.status;
  return isSameProcess(one.supervisor, other.supervisor);
}
