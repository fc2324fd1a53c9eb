import { z } from 'zod';
import { parseDocument } from './document.ts';

/** The marker file of an image layout (image-layout.md). */
export const imageLayoutFile = 'oci-layout';

/** The entry point of an image layout. */
export const imageIndexFile = 'index.json';

/** Annotations by which layouts say how an image is called. */
export const referenceAnnotations = {
  oci: 'org.opencontainers.image.ref.name',
  containerd: 'io.containerd.image.name',
} as const;

const layoutSchema = z.object({
  imageLayoutVersion: z
    .string()
    .max(20)
    .regex(/^1\.\d+\.\d+$/, 'only version 1 is known'),
});

/** @throws HakoError `HAKO_ERR_INVALID_IMAGE` unless it is the marker of a version that hako reads. */
export function checkImageLayout(content: Uint8Array): void {
  parseDocument(layoutSchema, content, 'oci-layout file');
}
