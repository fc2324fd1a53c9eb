import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { signalNumber } from '../base/signal-number.ts';
import { sizeOption } from '../cgroup/resources.ts';
import type { DeviceRule } from '../contracts/isolation.ts';
import { parseDetachKeys } from './detach-keys.ts';

/** A string that can cross into the kernel: a NUL would end it there. */
export const text = z.string().refine((value) => !value.includes('\0'), 'a NUL character is not allowed');

/** An absolute path inside the container, without `.` and `..`, and without a slash at the end. */
export const containerPath = text
  .refine((path) => path.startsWith('/'), "write an absolute path, such as '/data'")
  .refine((path) => !path.split('/').includes('..'), "'..' is not allowed; write the path that is meant")
  .transform(
    (path) =>
      `/${path
        .split('/')
        .filter((name) => name !== '' && name !== '.')
        .join('/')}`,
  );

export const hostPath = text.refine((path) => path.startsWith('/'), 'write an absolute path of the host');

/** `{ NAME: 'value' }` or `['NAME=value']`. */
export const environment = z
  .union([
    z.record(text.regex(/^[^=]+$/, 'the name of a variable is not empty and has no ='), text),
    z.array(text.regex(/^[^=]+=/, "write 'NAME=value'")),
  ])
  .transform((value): readonly string[] =>
    Array.isArray(value) ? value : Object.entries(value).map(([name, each]) => `${name}=${each}`),
  );

export const signal = z.union([z.string(), z.int()]).transform((value, context) => {
  try {
    return signalNumber(value);
  } catch (error) {
    context.issues.push({
      code: 'custom',
      input: value,
      message: error instanceof HakoError ? error.message : String(error),
    });
    return z.NEVER;
  }
});

/** `'private'`, `'host'`, `{ container }` or Docker's `'container:name'`; the container by name or ID. */
export const namespaceChoice = z.union([
  z.enum(['private', 'host']),
  z.strictObject({ container: z.string().min(1) }),
  z
    .string()
    .regex(/^container:.+/, "write 'private', 'host' or 'container:<name>'")
    .transform((choice) => ({ container: choice.slice('container:'.length) })),
]);

/** Rows and columns of a terminal. */
export const terminalSize = z.strictObject({
  rows: z.int().min(1).max(65_535),
  columns: z.int().min(1).max(65_535),
});

/** Seconds until a stop becomes a kill; what a timer of Node's can wait. */
export const stopTimeout = z
  .number()
  .min(0)
  .max(2 ** 31 / 1000 - 1);

const access = z.string().regex(/^[rwm]{1,3}$/, 'write some of r, w and m');

/** `'/dev/fuse'`, Docker's `'/dev/sda:/dev/xvda:r'`, or an object. */
export const device = z
  .union([
    z.string().transform((value, context) => {
      const [hostPath = '', second, third, ...rest] = value.split(':');
      const pathless = second !== undefined && third === undefined && /^[rwm]+$/.test(second);
      if (rest.length > 0) {
        context.issues.push({
          code: 'custom',
          input: value,
          message: "write '/dev/name', '/dev/name:/dev/other' or '/dev/name:/dev/other:rwm'",
        });
        return z.NEVER;
      }
      return {
        hostPath,
        path: pathless ? hostPath : (second ?? hostPath),
        access: (pathless ? second : third) ?? 'rwm',
      };
    }),
    z
      .strictObject({ hostPath: z.string(), path: z.string().optional(), access: z.string().default('rwm') })
      .transform((value) => ({ ...value, path: value.path ?? value.hostPath })),
  ])
  .pipe(z.object({ hostPath, path: containerPath, access }));

/** Docker's `'c 10:* rwm'` (which allows), or an object. */
export const deviceRule = z.union([
  z
    .string()
    .regex(/^[acb] (\d{1,4}|\*):(\d{1,7}|\*) [rwm]{1,3}$/, "write a rule such as 'c 10:* rwm'")
    .transform((value): DeviceRule => {
      const [type = '', major = '', minor = '', letters = ''] = value.split(/[ :]/);
      const number = (part: string): number | null => (part === '*' ? null : Number(part));
      return {
        allow: true,
        type: type as DeviceRule['type'],
        major: number(major),
        minor: number(minor),
        access: letters,
      };
    }),
  z.strictObject({
    allow: z.boolean(),
    type: z.enum(['a', 'c', 'b']),
    major: z.int().min(0).max(4095).nullable(),
    minor: z.int().min(0).max(1_048_575).nullable(),
    access,
  }),
]);

const bind = z.strictObject({
  type: z.literal('bind'),
  /** A file or directory of the host. */
  source: hostPath,
  target: containerPath,
  readonly: z.boolean().default(false),
  /** Owners are shifted by the container's id map, in a container with ids of its own: what root owns is its root's. */
  idmap: z.boolean().default(false),
  /** Mounts below the source come along. */
  recursive: z.boolean().default(true),
  /** Whether what is mounted below the source on the host later shows up inside (mount_namespaces(7)). */
  propagation: z.enum(['private', 'rprivate', 'slave', 'rslave']).default('rprivate'),
  options: z
    .array(z.enum(['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime', 'strictatime', 'nosymfollow']))
    .default([]),
});

const tmpfs = z.strictObject({
  type: z.literal('tmpfs'),
  target: containerPath,
  readonly: z.boolean().default(false),
  /** Default: half of the machine's memory (tmpfs(5)). */
  size: sizeOption.optional(),
  mode: z.int().min(0).max(0o7777).default(0o1777),
  options: z.array(z.enum(['suid', 'dev', 'exec', 'noatime'])).default([]),
});

export const mount = z.discriminatedUnion('type', [bind, tmpfs]);

export type UserMount = z.output<typeof mount>;

/** The resources of getrlimit(2), as ulimit names them. */
export const rlimitNumbers = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

const limit = z.int().min(-1);

/** A number for both, or `{ soft, hard }`; -1: unlimited. */
export const ulimits = z.partialRecord(
  z.enum(Object.keys(rlimitNumbers) as [keyof typeof rlimitNumbers, ...(keyof typeof rlimitNumbers)[]]),
  z
    .union([limit.transform((value) => ({ soft: value, hard: value })), z.strictObject({ soft: limit, hard: limit })])
    .refine(
      ({ soft, hard }) => hard === -1 || (soft !== -1 && soft <= hard),
      'the soft limit cannot be more than the hard one',
    ),
);

/** As {@link parseDetachKeys} takes them; checked before anything is done. */
export const detachKeys = z.string().transform((keys) => {
  parseDetachKeys(keys);
  return keys;
});

/** One value, or a list of them; always a list when parsed. */
export const oneOrMore = <Value extends z.ZodType>(value: Value) =>
  z
    .union([value, z.array(value)])
    .transform((given): readonly z.output<Value>[] => (Array.isArray(given) ? given : [given]));

/** A plugin by its ID, or with options. */
export const pluginChoice = z
  .union([
    z.string().min(1),
    z.object({ driver: z.string().min(1), options: z.record(z.string(), z.json()).default({}) }),
  ])
  .transform((choice) =>
    typeof choice === 'string' ? { driver: choice, options: {} } : { driver: choice.driver, options: choice.options },
  );
