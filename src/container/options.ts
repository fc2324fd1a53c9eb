import { z } from 'zod';
import type { DeepReadonly } from '../base/deep-readonly.ts';
import { HakoError } from '../base/errors.ts';
import { resourceOptions, sizeOption } from '../cgroup/resources.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { healthcheckOption } from './health/options.ts';
import {
  containerPath,
  detachKeys,
  device,
  deviceRule,
  environment,
  mount,
  namespaceChoice,
  pluginChoice,
  signal,
  stopTimeout,
  terminalSize,
  text,
  ulimits,
} from './option-parts.ts';
import { restartOption } from './restart/options.ts';

const dnsName = z
  .string()
  .regex(/^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$/, 'up to 64 letters, digits, dots and dashes');

/**
 * How a container is made: Docker's words, in camel case. It is JSON: it is kept with the container as it was given.
 *
 * @public
 */
export const containerOptions = z.strictObject({
  /** Default: two random words. */
  name: z.string().optional(),
  /** Instead of the image's Cmd. */
  command: z.array(text).optional(),
  /** Instead of the image's Entrypoint; the image's Cmd is then left out as well. */
  entrypoint: z.array(text).optional(),
  /** Added to the image's, and over it. */
  env: environment.optional(),
  /** Default: the image's, else `/`. Made when it is not there. */
  workingDirectory: containerPath.optional(),
  /** `'app'`, `'1000'`, `'app:staff'`, `'1000:100'`; names are those of the image. Default: the image's, else root. */
  user: text.optional(),
  /** Additional groups, by name or number. */
  groups: z.array(text.min(1)).max(1000).default([]),
  /** Default: the first 12 digits of the ID. */
  hostname: dnsName.optional(),
  domainname: dnsName.optional(),
  /** A pseudo-terminal for the program. */
  tty: z.boolean().default(false),
  /** Rows and columns of the terminal. */
  terminalSize: terminalSize.optional(),
  /** The program has a stdin that can be written to; otherwise it reads /dev/null. */
  stdin: z.boolean().default(false),
  /** Close stdin when the first attachment that feeds it ends. */
  stdinOnce: z.boolean().default(false),
  /** Process 1 is a small one of hako's that reaps orphans and passes signals on. */
  init: z.boolean().default(false),
  /** `normal`, `privileged`, `rootless`, or another privilege mode. Default: `normal` for root, `rootless` for others. */
  mode: pluginChoice.optional(),
  namespaces: z
    .strictObject({
      mount: namespaceChoice.optional(),
      pid: namespaceChoice.optional(),
      network: namespaceChoice.optional(),
      ipc: namespaceChoice.optional(),
      uts: namespaceChoice.optional(),
      user: namespaceChoice.optional(),
      cgroup: namespaceChoice.optional(),
      time: namespaceChoice.optional(),
    })
    .default({}),
  /** Names with or without `CAP_`, or `ALL`. */
  capabilities: z
    .strictObject({ add: z.array(z.string()).default([]), drop: z.array(z.string()).default([]) })
    .default({ add: [], drop: [] }),
  /** `'/dev/fuse'`, `'/dev/sda:/dev/xvda:r'`. */
  devices: z.array(device).max(1000).default([]),
  /** `'c 10:* rwm'` allows; an object may deny. Added to the mode's. */
  deviceRules: z.array(deviceRule).max(1000).default([]),
  /** Set-user-ID programs give no privileges. Default: the mode's. */
  noNewPrivileges: z.boolean().optional(),
  /** `'default'`, `'unconfined'`, or a profile in Docker's JSON form. */
  seccomp: z.union([z.enum(['default', 'unconfined']), z.record(z.string(), z.json())]).default('default'),
  /** A profile that the host has loaded; `null` or `'unconfined'`: none. */
  apparmor: text
    .min(1)
    .nullable()
    .transform((profile) => (profile === 'unconfined' ? null : profile))
    .optional(),
  /** Instead of the mode's. */
  maskedPaths: z.array(containerPath).max(1000).optional(),
  /** Instead of the mode's. */
  readonlyPaths: z.array(containerPath).max(1000).optional(),
  readonlyRoot: z.boolean().default(false),
  mounts: z.array(mount).max(1000).default([]),
  resources: resourceOptions.default({}),
  ulimits: ulimits.default({}),
  /** Only those of the container's own namespaces: `kernel.shmmax`, `net.ipv4.ip_forward`. */
  sysctls: z.record(z.string(), z.union([text, z.int()]).transform(String)).default({}),
  oomScoreAdj: z.int().min(-1000).max(1000).optional(),
  /** Size of /dev/shm. */
  shmSize: sizeOption.default(64 * 2 ** 20),
  umask: z.int().min(0).max(0o777).default(0o022),
  /** Default: the image's, else SIGTERM. */
  stopSignal: signal.optional(),
  /** Seconds until a stop becomes a kill. */
  stopTimeout: stopTimeout.default(10),
  /** `'json-file'`, or `{ driver, options }`. */
  log: pluginChoice.optional(),
  /** Bytes that the container may write to its own root, where the storage driver can hold it to them. */
  storageQuota: sizeOption.refine((bytes) => bytes >= 2 ** 20, 'at least 1m').optional(),
  labels: z.record(z.string().min(1), z.string()).default({}),
  /**
   * When it is started again after its end: `'no'`, `'always'`, `'unless-stopped'`, `'on-failure'`, `'on-failure:3'`. The
   * process that started it does it; for one that is `detached`, whoever opens the root next takes that over.
   */
  restart: restartOption.default({ policy: 'no', maxRetries: 0, onUnhealthy: false }),
  /** How its health is looked at while it runs. Default: as the image says. */
  healthcheck: healthcheckOption.optional(),
  /** Removed when it has ended. */
  autoRemove: z.boolean().default(false),
  /** Removed when its handle is closed. */
  ephemeral: z.boolean().default(false),
  /** Goes on when the process that started it has ended. */
  detached: z.boolean().default(false),
  /** Also mounts the root on the host, where GraphDriver.Data's MergedDir says. */
  hostMount: z.boolean().default(false),
});

/** What no schema of one option can tell. */
function checkTogether({ restart, autoRemove, detached, healthcheck }: ParsedContainerOptions): void {
  if (autoRemove && restart.policy !== 'no')
    throw new HakoError(
      'INVALID_OPTION',
      'These container options are not valid: autoRemove, restart: a container that is removed after its end cannot be restarted.',
    );
  if (detached && healthcheck?.call !== undefined)
    throw new HakoError(
      'INVALID_OPTION',
      'These container options are not valid: detached, healthcheck.call: a function ends with its process. Check by test, tcp or file.',
    );
}

/** What is kept of options: a function stays with the process. */
export function recordable(settings: ContainerSettings): ContainerSettings {
  const { healthcheck } = settings;
  return typeof healthcheck?.call === 'function'
    ? { ...settings, healthcheck: { ...healthcheck, call: true } }
    : settings;
}

/** What a caller may give, without the image. @public */
export type ContainerSettings = DeepReadonly<z.input<typeof containerOptions>>;

/** Options with every default filled in. */
export type ParsedContainerOptions = z.output<typeof containerOptions>;

const execOptions = z.strictObject({
  /** Added to the container's, and over it. */
  env: environment.optional(),
  /** Default: the container's. */
  workingDirectory: containerPath.optional(),
  /** Default: the container's. */
  user: text.optional(),
  groups: z.array(text.min(1)).max(1000).default([]),
  tty: z.boolean().default(false),
  terminalSize: terminalSize.optional(),
  stdin: z.boolean().default(false),
  /** With a tty that is fed: what lets go of it, such as `ctrl-p,ctrl-q` (default); the empty text: nothing. */
  detachKeys: detachKeys.optional(),
  /** All capabilities that the host, or the container's user namespace, can give. */
  privileged: z.boolean().default(false),
  /** Goes on with nobody who reads it, also when the process that started it has ended. */
  detached: z.boolean().default(false),
});

/** How a further program is run in a container. @public */
export type ExecSettings = DeepReadonly<z.input<typeof execOptions>>;

export type ParsedExecOptions = z.output<typeof execOptions>;

/** How a further program is run, and what becomes of its streams. @public */
export interface ExecOptions extends ExecSettings, OperationOptions {
  /** Bytes that `exec()` keeps of each stream. Default 16 MiB; a program that writes more is an error, and is killed. */
  readonly maxOutput?: number;
  /** Written to the program's stdin, which then ends. */
  readonly input?: string | Uint8Array;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION`, naming each option that is wrong, and for an unknown one those that exist. */
export function parseContainerOptions(options: unknown): ParsedContainerOptions {
  const parsed = parseOptions(containerOptions, options, 'container');
  checkTogether(parsed);
  return parsed;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function parseExecOptions(options: unknown): ParsedExecOptions {
  return parseOptions(execOptions, options, 'exec');
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION`, as {@link parseContainerOptions} does; `what` names the kind of options. */
export function parseOptions<Schema extends z.ZodObject>(
  schema: Schema,
  options: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const sentences = result.error.issues.map((issue) => issueSentence(issue, schema).replace(/\.$/, ''));
  throw new HakoError('INVALID_OPTION', `These ${what} options are not valid: ${sentences.join('; ')}.`, {
    cause: result.error,
  });
}

function issueSentence(issue: z.core.$ZodIssue, schema: z.ZodObject): string {
  if (issue.code === 'invalid_union') return alternatives(issue, schema);
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = path === '' ? ` (known: ${Object.keys(schema.shape).join(', ')})` : '';
    return `unknown option ${issue.keys.map((key) => `'${path === '' ? '' : `${path}.`}${key}'`).join(', ')}${known}`;
  }
  const reason = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message;
  return `${path === '' ? 'options' : path}: ${reason ?? issue.message}`;
}

/** What each alternative wanted; "Invalid input" helps nobody. One that got further than the others is what was meant. */
function alternatives(issue: z.core.$ZodIssueInvalidUnion, schema: z.ZodObject): string {
  const nested = issue.message === 'Invalid input' ? issue.errors.flat() : [];
  const depth = Math.max(0, ...nested.map(({ path }) => path.length));
  const closest = nested.filter(({ path }) => path.length === depth);
  if (closest.length === 0) return issueSentence({ ...issue, code: 'custom' } as z.core.$ZodIssue, schema);
  const sentences = closest.map((each) =>
    issueSentence({ ...each, path: [...issue.path, ...each.path] } as z.core.$ZodIssue, schema),
  );
  const [first = '', ...others] = [...new Set(sentences)];
  // They share the path that they begin with.
  return [first, ...others.map((sentence) => sentence.slice(sentence.indexOf(': ') + 2))].join(', or ');
}
