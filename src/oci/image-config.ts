import { z } from 'zod';
import type { Digest } from '../base/digest.ts';
import { parseDocument } from './document.ts';
import { type Platform, platformSchema } from './platform.ts';
import { digest, listOf, mapOf, maxLayers, nullAsAbsent, text, textWithoutNul } from './schema.ts';

/**
 * An image's configuration (config.md), read as the hostile input that it is: nothing here can choose anything
 * about the host or about how the container is isolated. Labels are for people; hako gives them no meaning.
 *
 * @public
 */
export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339, as the image says. */
  readonly created?: string;
  readonly author?: string;
  readonly defaults: ContainerDefaults;
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
  /** What was left out because it is malformed, and why: shown to users, so that it is no secret. */
  readonly ignored: readonly IgnoredField[];
}

/** What a container of the image starts with unless its creator says otherwise. @public */
export interface ContainerDefaults {
  /** `NAME=value`, each well formed. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** As written in the image; resolved inside the container only. */
  readonly user: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `80/tcp` … */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly stopSignal?: string;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
  readonly healthcheck?: Healthcheck;
}

/** Docker's HEALTHCHECK. Times are nanoseconds; 0 or absent is the default. @public */
export interface Healthcheck {
  /** `CMD`, `CMD-SHELL` or `NONE`, and the command. */
  readonly test: readonly string[];
  /** Nanoseconds, as in the image. */
  readonly interval?: number;
  /** Nanoseconds. */
  readonly timeout?: number;
  /** Nanoseconds. */
  readonly startPeriod?: number;
  /** Nanoseconds. */
  readonly startInterval?: number;
  /** Failures in a row until it is unhealthy. */
  readonly retries?: number;
}

/** A step of the image's build. @public */
export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly comment?: string;
  readonly emptyLayer: boolean;
}

/** A field of an image's config that was left out. @public */
export interface IgnoredField {
  /** Its name in the document. */
  readonly field: string;
  /** As it stands there. */
  readonly value: string;
  /** Why nothing comes of it. */
  readonly reason: string;
}

const strings = nullAsAbsent(listOf(textWithoutNul));
const keys = nullAsAbsent(mapOf(z.unknown()).transform((map) => Object.keys(map)));
const optionalText = nullAsAbsent(text);
const nanoseconds = nullAsAbsent(z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER));

const healthcheckSchema = z
  .object({
    Test: strings,
    Interval: nanoseconds,
    Timeout: nanoseconds,
    StartPeriod: nanoseconds,
    StartInterval: nanoseconds,
    Retries: nanoseconds,
  })
  .transform(
    (value): Healthcheck =>
      withoutUndefined({
        test: value.Test ?? [],
        interval: value.Interval,
        timeout: value.Timeout,
        startPeriod: value.StartPeriod,
        startInterval: value.StartInterval,
        retries: value.Retries,
      }),
  );

const defaultsSchema = z.object({
  Env: nullAsAbsent(listOf(text)),
  Entrypoint: strings,
  Cmd: strings,
  User: nullAsAbsent(textWithoutNul),
  WorkingDir: nullAsAbsent(textWithoutNul),
  Labels: nullAsAbsent(mapOf(text)),
  ExposedPorts: keys,
  Volumes: keys,
  StopSignal: nullAsAbsent(z.string().max(20)),
  Shell: strings,
  OnBuild: strings,
  Healthcheck: nullAsAbsent(healthcheckSchema),
});

const historySchema = z
  .object({
    created: optionalText,
    created_by: optionalText,
    comment: optionalText,
    empty_layer: nullAsAbsent(z.boolean()),
  })
  .transform(
    (value): HistoryEntry =>
      withoutUndefined({
        created: value.created,
        createdBy: value.created_by,
        comment: value.comment,
        emptyLayer: value.empty_layer ?? false,
      }),
  );

const configSchema = z.object({
  os: z.string().max(100),
  architecture: z.string().max(100),
  variant: optionalText,
  created: optionalText,
  author: optionalText,
  config: nullAsAbsent(defaultsSchema),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: nullAsAbsent(listOf(digest, maxLayers)) }),
  history: nullAsAbsent(listOf(historySchema)),
});

/**
 * @param what - how the document is called in errors.
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`
 */
export function parseImageConfig(content: Uint8Array, what: string): ImageConfig {
  const raw = parseDocument(configSchema, content, what);
  const defaults = raw.config ?? {};
  const { env, ignored } = soundEnv(defaults.Env ?? []);
  return withoutUndefined({
    platform: platformSchema.parse(raw),
    created: raw.created,
    author: raw.author,
    defaults: withoutUndefined({
      env,
      entrypoint: defaults.Entrypoint ?? [],
      cmd: defaults.Cmd ?? [],
      user: defaults.User ?? '',
      workingDir: defaults.WorkingDir ?? '',
      labels: defaults.Labels ?? {},
      exposedPorts: defaults.ExposedPorts ?? [],
      volumes: defaults.Volumes ?? [],
      stopSignal: defaults.StopSignal === '' ? undefined : defaults.StopSignal,
      shell: defaults.Shell,
      onBuild: defaults.OnBuild,
      healthcheck: defaults.Healthcheck,
    }),
    diffIds: raw.rootfs.diff_ids ?? [],
    history: raw.history ?? [],
    ignored,
  });
}

/** A bare `NAME` asks some engines to pass their own variable on, and `*` all of them (CVE-2026-57231): left out. */
function soundEnv(entries: readonly string[]): { env: readonly string[]; ignored: readonly IgnoredField[] } {
  const env: string[] = [];
  const ignored: IgnoredField[] = [];
  for (const entry of entries) {
    const reason = envProblem(entry);
    if (reason === null) env.push(entry);
    else ignored.push({ field: 'Env', value: entry.slice(0, 100), reason });
  }
  return { env, ignored };
}

function envProblem(entry: string): string | null {
  const equals = entry.indexOf('=');
  if (equals < 0) return 'not of the form NAME=value';
  if (equals === 0) return 'the name is empty';
  return entry.includes('\0') ? 'holds a NUL byte' : null;
}

/** `exactOptionalPropertyTypes` tells an absent field from an undefined one; zod gives the latter. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
} {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}
