import { z } from 'zod';
import { nullAsAbsent } from './schema.ts';

const name = z.string().max(100);

export const platformSchema = z
  .object({ os: name, architecture: name, variant: nullAsAbsent(name) })
  .transform(({ os, architecture, variant }): Platform => ({ os, architecture, ...(variant ? { variant } : {}) }));

/** What an image was built for, in Go's words (`linux`, `amd64`, `v8`): image-index.md, "platform". @public */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The platform of this machine, from Node's word for its architecture. */
export function hostPlatform(architecture: 'x64' | 'arm64'): Platform {
  return architecture === 'x64'
    ? { os: 'linux', architecture: 'amd64' }
    : { os: 'linux', architecture: 'arm64', variant: 'v8' };
}

/**
 * How well an image suits a machine: 0 is best, null is not at all. Every amd64 machine runs the baseline (no
 * variant, or v1), and every arm64 one runs v8; other variants ask for instructions that may be missing.
 */
export function platformRank(image: Platform, machine: Platform): number | null {
  if (image.os !== machine.os || image.architecture !== machine.architecture) return null;
  const baseline = image.architecture === 'amd64' ? 'v1' : image.architecture === 'arm64' ? 'v8' : undefined;
  const wanted = machine.variant ?? baseline;
  if (image.variant === wanted) return 0;
  return image.variant === undefined || image.variant === baseline ? 1 : null;
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}
