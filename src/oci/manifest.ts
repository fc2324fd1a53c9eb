import { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { type Descriptor, descriptorSchema } from './descriptor.ts';
import { parseJson, validateDocument } from './document.ts';
import { isImageConfigMediaType, isManifestMediaType, layerCompression } from './media-types.ts';
import { annotations, listOf, maxLayers, mediaType, nullAsAbsent } from './schema.ts';

/** An image manifest (manifest.md), of the OCI form or of Docker's schema 2. */
export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const manifestSchema = z.object({
  schemaVersion: z.literal(2, 'must be 2; images of the older form can be converted by any current registry tool'),
  mediaType: nullAsAbsent(mediaType),
  config: descriptorSchema,
  layers: listOf(descriptorSchema, maxLayers),
  annotations,
});

/**
 * Reads the manifest of a container image.
 *
 * @param described - the descriptor that led here; what the document says of itself must agree with it, else one
 * document could be taken for two things (CVE-2021-41190).
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE`
 */
export function parseManifest(content: Uint8Array, described: Pick<Descriptor, 'digest' | 'mediaType'>): Manifest {
  const what = `image manifest ${described.digest}`;
  const json = parseJson(content, what);
  if (typeof json === 'object' && json !== null && 'manifests' in json) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is ambiguous: it also has the field 'manifests' of an index. Refused, because tools would disagree on what it is.`,
    );
  }
  const manifest = validateDocument(manifestSchema, json, what);
  if (manifest.mediaType !== undefined && manifest.mediaType !== described.mediaType) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} calls itself '${manifest.mediaType}', but is described as '${described.mediaType}'.`,
    );
  }
  if (!isManifestMediaType(described.mediaType)) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is of type '${described.mediaType}', which is not an image manifest.`,
    );
  }
  if (!isImageConfigMediaType(manifest.config.mediaType)) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is no container image: its config is of type '${manifest.config.mediaType}'.`,
    );
  }
  const foreign = manifest.layers.find((layer) => layerCompression(layer.mediaType) === undefined);
  if (foreign !== undefined) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} has a layer of type '${foreign.mediaType}', which is not a tar, tar+gzip or tar+zstd.`,
    );
  }
  return {
    config: manifest.config,
    layers: manifest.layers,
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}
