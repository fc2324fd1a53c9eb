import { z } from 'zod';
import { operationOptions } from '../container/call-options.ts';
import { parseOptions } from '../container/options.ts';
import { imageDefaults } from '../image/image-defaults.ts';
import type { ImportOptions } from '../image/image-importer.ts';
import type { ByteSource, ImageSource } from '../image/import-source.ts';

const path = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'), 'must not hold a NUL byte');
const bytes = z.custom<ByteSource>(
  (value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value,
  'give a path, or a stream of bytes',
);

const source = z.strictObject({
  source: z.union([
    path,
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('oci-layout'), path }),
      z.strictObject({ kind: z.literal('archive'), archive: z.union([path, bytes]) }),
      z.strictObject({
        kind: z.literal('rootfs'),
        rootfs: z.union([path, bytes]),
        config: imageDefaults.optional(),
      }),
    ]),
  ]),
});

const limit = z.number().min(1).optional();
const importOptions = z.strictObject({
  ...operationOptions,
  reference: z.string().optional(),
  select: z.string().optional(),
  limits: z
    .strictObject({ archiveBytes: limit, ratio: limit, ratioFrom: limit, entries: limit, fileBytes: limit })
    .optional(),
  onProgress: z
    .custom<ImportOptions['onProgress']>((value) => typeof value === 'function', 'give a function')
    .optional(),
});

/** @throws HakoError `HAKO_ERR_INVALID_OPTION`, naming what is wrong with the source. */
export function parseImageSource(given: string | ImageSource): string | ImageSource {
  parseOptions(source, { source: given }, 'import');
  return given;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION`; an unknown option is an error that lists the known ones. */
export function parseImportOptions(options: ImportOptions): ImportOptions {
  parseOptions(importOptions, options, 'import');
  return options;
}
