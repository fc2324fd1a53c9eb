import { z } from 'zod';
import type { Digest } from '../base/digest.ts';
import { type Platform, platformSchema } from './platform.ts';
import { annotations, digest, mediaType, nullAsAbsent, size } from './schema.ts';

/**
 * Says where content is, what it is and how large (descriptor.md). `urls` is not kept: hako fetches content by
 * digest from where the image came from, and from nowhere that an image names (CVE-2020-15157). Nor is `data`.
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
}

export const descriptorSchema = z
  .object({
    mediaType,
    digest,
    size,
    platform: nullAsAbsent(platformSchema),
    annotations,
    artifactType: nullAsAbsent(mediaType.or(z.literal(''))),
  })
  .transform(
    (value): Descriptor => ({
      mediaType: value.mediaType,
      digest: value.digest,
      size: value.size,
      ...(value.platform === undefined ? {} : { platform: value.platform }),
      ...(value.annotations === undefined ? {} : { annotations: value.annotations }),
      ...(value.artifactType ? { artifactType: value.artifactType } : {}),
    }),
  );
