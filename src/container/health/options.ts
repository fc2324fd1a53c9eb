import { z } from 'zod';
import { parseDuration } from '../../base/duration.ts';
import { containerPath, text } from '../option-parts.ts';
import { httpOption } from './http-options.ts';

/** What a timer of Node's can wait, in milliseconds. */
const longest = 2 ** 31 - 1;

/** Seconds, or `'1m30s'`; 0: the default. In milliseconds when parsed. */
const timeSpan = z.union([z.number(), z.string()]).transform((value, context) => {
  const milliseconds = typeof value === 'number' ? value * 1000 : (parseDuration(value) ?? Number.NaN) / 1e6;
  if (milliseconds === 0 || (milliseconds >= 1 && milliseconds <= longest)) return milliseconds;
  context.issues.push({
    code: 'custom',
    input: value,
    message: "write seconds, or a time such as '1m30s'; from 1 ms to 24 days",
  });
  return z.NEVER;
});

const test = z.union([
  text.min(1).transform((command): readonly string[] => ['CMD-SHELL', command]),
  z
    .array(text)
    .refine(
      ([kind, ...rest]) =>
        (kind === 'NONE' && rest.length === 0) || ((kind === 'CMD' || kind === 'CMD-SHELL') && rest.length > 0),
      "write ['CMD', program, …], ['CMD-SHELL', command] or ['NONE']",
    ),
]);

const port = z.int().min(1).max(65_535);

const probes = ['test', 'tcp', 'http', 'file', 'call'] as const;

/** `test` as Docker's HEALTHCHECK, or a look from the host that needs nothing in the image. */
export const healthcheckOption = z
  .strictObject({
    /** `['CMD', 'curl', '-f', 'http://localhost/']`, `['CMD-SHELL', …]`, a command for the shell, or `['NONE']`. Default: the image's. */
    test: test.optional(),
    /** Something listens on this TCP port in the container's network namespace. */
    tcp: port.optional(),
    /** A GET to a port of the container is answered with a status that is expected. Redirects are not followed. */
    http: httpOption.optional(),
    /** There is such a regular file in the container's root. */
    file: containerPath.optional(),
    /** A function of yours says so. It lives with this process: not for a `detached` container. */
    call: z
      .custom<HealthCall | true>((value) => value === true || typeof value === 'function', 'give a function')
      .optional(),
    /** From the end of a check to the next; default 30 s. */
    interval: timeSpan.optional(),
    /** After which a check has failed; default 30 s. */
    timeout: timeSpan.optional(),
    /** In which failures do not count; default 0. */
    startPeriod: timeSpan.optional(),
    /** Instead of `interval` in the start period; default 5 s. */
    startInterval: timeSpan.optional(),
    /** How many failures in a row make the container unhealthy; default 3. */
    retries: z.int().min(0).optional(),
  })
  .refine((options) => probes.filter((probe) => options[probe] !== undefined).length <= 1, {
    message: 'give one of test, tcp, http, file and call',
  });

/** Says whether a container is healthy, or throws why it is not. `signal` is aborted when that takes too long. @public */
export type HealthCall = (signal: AbortSignal) => boolean | Promise<boolean>;

export type HealthcheckOptions = z.output<typeof healthcheckOption>;
