import type { IdPool } from 'libhako/plugin';
import { z } from 'zod';

/**
 * Where the ids of containers come from unless something else is said: above what systemd gives to containers
 * (524288 … 1879048191) and what rootless containers of root have, under 2^31. Room for 4,094 containers.
 */
const defaultPool = { start: 1_879_113_728, size: 4_094 * 65_536 };

const id = z
  .int()
  .min(1)
  .max(2 ** 32 - 2);

export const normalOptions = z.object({
  /**
   * `auto`: each container has a user namespace with ids of its own, which nobody else on the host has, so that its root
   * is nobody outside. `host`: root inside is the host's root, with few capabilities.
   */
  userns: z.enum(['host', 'auto']).default('host'),
  /** With `auto`: how many ids a container gets, from 0 up. 65,536 has room for `nobody`. */
  idsPerContainer: z
    .int()
    .min(1)
    .max(2 ** 24)
    .default(65_536),
  /** With `auto`: the host's ids that containers' are taken from. Give each root of one machine a pool of its own. */
  idPool: z.object({ start: id, size: id }).default(defaultPool),
});

export type NormalOptions = z.output<typeof normalOptions>;

/** undefined: containers have no ids of their own. */
export function idPoolOf({ userns, idsPerContainer, idPool }: NormalOptions): IdPool | undefined {
  return userns === 'host' ? undefined : { ...idPool, perContainer: idsPerContainer };
}
