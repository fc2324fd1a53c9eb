import type { Mount } from 'libhako/plugin';

/**
 * Features by which a layer's extended attributes could steer the kernel to files elsewhere in the stack, or which
 * only matter for file servers. Distributions differ in their defaults, so they are always said.
 */
const safeDefaults = ['index=off', 'metacopy=off', 'redirect_dir=nofollow'];

/** What is to be stacked; directories are paths of the host, lower ones from the highest down. */
export interface OverlayStack {
  readonly lower: readonly string[];
  readonly upper: { readonly diff: string; readonly work: string } | null;
  readonly userxattr: boolean;
  readonly mountOptions: readonly string[];
}

/**
 * The mount of a stack. Lower directories are given one by one (`lowerdir+=`, which is fsconfig(2)'s key, Linux 6.5), so that neither a
 * colon in a path nor the length of a page limits them. A single directory needs no overlay: it is bound.
 */
export function overlayMount({ lower, upper, userxattr, mountOptions }: OverlayStack): Mount {
  const [only] = lower;
  if (upper === null && lower.length === 1 && only !== undefined)
    return { type: 'bind', source: only, options: ['rbind', 'ro'] };
  if (upper !== null && lower.length === 0) return { type: 'bind', source: upper.diff, options: ['rbind', 'rw'] };
  const chosen = new Set(mountOptions.map(optionName));
  return {
    type: 'overlay',
    source: 'overlay',
    options: [
      ...lower.map((directory) => `lowerdir+=${directory}`),
      ...(upper === null ? ['ro'] : [`upperdir=${upper.diff}`, `workdir=${upper.work}`]),
      ...(userxattr ? ['userxattr'] : []),
      ...safeDefaults.filter((option) => !chosen.has(optionName(option))),
      ...mountOptions,
    ],
  };
}

function optionName(option: string): string {
  return option.split('=', 1)[0] ?? option;
}
