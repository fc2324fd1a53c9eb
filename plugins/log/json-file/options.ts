import { compileRe2, HakoError, parseSize, TagTemplate } from 'libhako/plugin';
import { z } from 'zod';

const booleans: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false])),
};

/** A schema's refinement out of something that throws. */
function holds<T>(check: (value: T) => unknown) {
  return (value: T, context: z.RefinementCtx): void => {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof HakoError)) throw error;
      // The issue's path names the option already; what compares options is not asked about one that is none.
      context.addIssue({ code: 'custom', message: error.message.replace(/^max-size: /, ''), continue: false });
    }
  };
}

const size = z
  .union([z.string(), z.number()], "write a number of bytes, or a size such as '10m'")
  .superRefine(
    holds((value) => {
      if (parseSize(value, 'max-size', 'decimal') <= 0)
        throw new HakoError('INVALID_OPTION', 'max-size must be a positive number');
    }),
  )
  .meta({ description: "The size at which a file is rotated: bytes, or '10m' (10,000,000). Default: no limit." });
const files = z
  .union(
    [
      z.number(),
      z
        .string()
        .regex(/^[+-]?\d{1,9}$/)
        .transform(Number),
    ],
    'write a whole number',
  )
  .refine((value) => Number.isInteger(value), 'write a whole number')
  .refine((value) => value >= 1, 'max-file cannot be less than 1')
  .refine((value) => value <= 1_000, 'max-file cannot be more than 1000')
  .meta({ description: 'How many files are kept, with the one that is written to. Default: 1.' });
const compress = z
  .union(
    [
      z.boolean(),
      z
        .string()
        .refine((text) => Object.hasOwn(booleans, text))
        .transform((text) => booleans[text] === true),
    ],
    'write true or false',
  )
  .meta({ description: 'Whether rotated files are compressed. Default: false.' });
const names = z
  .union(
    [z.array(z.string()), z.string().transform((text) => text.split(',').filter((name) => name !== ''))],
    'write a list of names, or names separated by commas',
  )
  .meta({ description: 'Names, as a list or separated by commas.' });
const regex = z
  .string()
  .superRefine(holds((text) => compileRe2(text)))
  .meta({ description: 'A regular expression of RE2 syntax; it may match anywhere in the name.' });
const tag = z
  .string()
  .superRefine(holds((text) => new TagTemplate(text)))
  .meta({ description: "A Go template such as '{{.Name}}/{{.ID}}', kept with each record as attribute 'tag'." });

/** Docker's key and the one to write in TypeScript. */
const keys = [
  ['max-size', 'maxSize'],
  ['max-file', 'maxFile'],
  ['labels-regex', 'labelsRegex'],
  ['env-regex', 'envRegex'],
] as const;

/**
 * Docker's options under Docker's names, and the same in camel case. Docker checks values when a container is
 * started; here they are checked where they were written.
 */
export const jsonFileOptions = z
  .object({
    'max-size': size.optional(),
    maxSize: size.optional(),
    'max-file': files.optional(),
    maxFile: files.optional(),
    compress: compress.optional(),
    labels: names.optional(),
    'labels-regex': regex.optional(),
    labelsRegex: regex.optional(),
    env: names.optional(),
    'env-regex': regex.optional(),
    envRegex: regex.optional(),
    tag: tag.optional(),
  })
  .superRefine((options, context) => {
    for (const [docker, camel] of keys) {
      if (options[docker] !== undefined && options[camel] !== undefined) {
        context.addIssue({ code: 'custom', path: [camel], message: `give either ${docker} or ${camel}, not both` });
      }
    }
    const { maxFiles, maxSize } = normalize(options);
    if (options.compress === true && (maxFiles < 2 || maxSize === null)) {
      context.addIssue({
        code: 'custom',
        path: ['compress'],
        message: 'compress cannot be true when max-file is less than 2 or max-size is not set',
      });
    }
  });

export interface JsonFileSettings {
  /** Bytes; null: no limit. */
  readonly maxSize: number | null;
  readonly maxFiles: number;
  readonly compress: boolean;
  readonly labels: readonly string[];
  readonly labelsRegex: string | undefined;
  readonly env: readonly string[];
  readonly envRegex: string | undefined;
  /** Null or empty: no tag. */
  readonly tag: TagTemplate | null;
}

export function normalize(options: z.output<typeof jsonFileOptions>): JsonFileSettings {
  const maxSize = options['max-size'] ?? options.maxSize;
  return {
    maxSize: maxSize === undefined ? null : parseSize(maxSize, 'max-size', 'decimal'),
    maxFiles: options['max-file'] ?? options.maxFile ?? 1,
    compress: options.compress ?? false,
    labels: options.labels ?? [],
    labelsRegex: options['labels-regex'] ?? options.labelsRegex,
    env: options.env ?? [],
    envRegex: options['env-regex'] ?? options.envRegex,
    tag: options.tag === undefined || options.tag === '' ? null : new TagTemplate(options.tag),
  };
}
