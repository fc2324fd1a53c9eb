import { z } from 'zod';
import { HakoError } from '../base/errors.ts';

const MAX_ERRNO = 4095;
const UINT64_MAX = (1n << 64n) - 1n;

const errno = z.number().int().min(0).max(MAX_ERRNO).nullish();

/** JSON's numbers lose the low bits over 2^53, and masks can be larger: such a value may also be a string of digits. */
const uint64 = z
  .union([
    z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
    z.string().regex(/^(\d{1,20}|0x[0-9a-f]{1,16})$/i),
  ])
  .transform((value) => BigInt(value))
  .refine((value) => value <= UINT64_MAX, 'larger than 64 bits');

const action = z.enum([
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
]);

const operator = z.enum([
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
]);

const argument = z.object({
  index: z.number().int().min(0).max(5),
  value: uint64,
  valueTwo: uint64.nullish(),
  op: operator,
});

/** When a rule applies: to the processors named (as Go does), with all of the capabilities, on that kernel or later. */
const condition = z.object({
  caps: z.array(z.string()).nullish(),
  arches: z.array(z.string()).nullish(),
  minKernel: z
    .string()
    .regex(/^\d{1,5}\.\d{1,5}$/, 'a kernel version is written 4.8')
    .nullish(),
});

const rule = z
  .object({
    names: z.array(z.string().min(1)).nullish(),
    name: z.string().nullish(),
    action,
    errnoRet: errno,
    args: z.array(argument).nullish(),
    includes: condition.nullish(),
    excludes: condition.nullish(),
  })
  .refine((one) => !(one.name && one.names?.length), "has both 'name' and 'names'; leave one of them out")
  .refine((one) => one.name || one.names?.length, "names no system call; give it 'names'");

const profile = z
  .object({
    defaultAction: action,
    defaultErrnoRet: errno,
    architectures: z.array(z.string()).nullish(),
    archMap: z.array(z.object({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() })).nullish(),
    flags: z
      .array(z.enum(['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']))
      .nullish(),
    syscalls: z.array(rule).nullish(),
  })
  .refine(
    (one) => !(one.architectures?.length && one.archMap?.length),
    "has both 'architectures' and 'archMap'; leave one of them out",
  );

/** A profile in Docker's JSON form, which is the OCI runtime spec's (config-linux.md, "Seccomp") and conditions. */
export type SeccompProfile = z.output<typeof profile>;
export type SeccompRule = z.output<typeof rule>;
export type SeccompAction = z.output<typeof action>;
export type SeccompArgument = z.output<typeof argument>;
export type SeccompCondition = z.output<typeof condition>;

/**
 * Fields that are not known are passed over, as Docker does. `SCMP_ACT_NOTIFY` is refused: nobody would answer.
 *
 * @throws HakoError `HAKO_ERR_INVALID_SECCOMP_PROFILE` with the place of the first mistake.
 */
export function parseSeccompProfile(json: string): SeccompProfile {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new HakoError('INVALID_SECCOMP_PROFILE', `The seccomp profile is not JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const result = profile.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new HakoError(
    'INVALID_SECCOMP_PROFILE',
    `The seccomp profile is not valid${place}: ${issue?.message}. It is Docker's JSON form, with at least a defaultAction.`,
    {
      cause: result.error,
    },
  );
}
