import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { type Descriptor, descriptorSchema } from './descriptor.ts';
import { parseJson, validateDocument } from './document.ts';
import { isIndexMediaType } from './media-types.ts';
import { listOf, mediaType, nullAsAbsent } from './schema.ts';

const maxManifests = 1024;

/** An image index (image-index.md) or Docker's manifest list. */
export interface ImageIndex {
  readonly manifests: readonly Descriptor[];
}

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: nullAsAbsent(mediaType),
  manifests: listOf(descriptorSchema, maxManifests),
});

/**
 * @param what - how the document is called in errors.
 * @param described - the media type of the descriptor that led here; absent for a layout's index.json, which has none.
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`
 */
export function parseImageIndex(content: Uint8Array, what: string, described?: string): ImageIndex {
  const json = parseJson(content, what);
  if (typeof json === 'object' && json !== null && ('layers' in json || 'config' in json)) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is ambiguous: it also has the fields of a manifest. Refused, because tools would disagree on what it is.`,
    );
  }
  const index = validateDocument(indexSchema, json, what);
  const claimed = index.mediaType ?? described;
  if (claimed !== undefined && (!isIndexMediaType(claimed) || (described !== undefined && claimed !== described))) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is of type '${claimed}'${described === undefined ? '' : `, but is described as '${described}'`}.`,
    );
  }
  return { manifests: index.manifests };
}
