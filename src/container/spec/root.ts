import { dirname, relative } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import type { Mount } from '../../contracts/mount.ts';
import type { IsolationPlan } from '../../contracts/privilege-mode.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import { NODEV, parseMountOptions, propagationOf, RDONLY } from './mount-options.ts';
import { bindOf, mountOf } from './operations.ts';

/** The mounts of a storage driver, the root first. */
export function rootOperations(
  mounts: readonly Mount[],
  { nodev, idmappedRoot }: Pick<IsolationPlan, 'nodev' | 'idmappedRoot'>,
): readonly SetupOperation[] {
  if (mounts.length === 0 || (mounts[0]?.target ?? '') !== '') {
    throw new HakoError(
      'CONTAINER_START_FAILED',
      "The storage driver returned no mount for the container's root; its first mount must be the one without a target.",
    );
  }
  const { base, layered } = idmappedRoot ? layersBelow(mounts) : { base: null, layered: mounts };
  const operations = layered.map(({ type, source, target = '', options }): SetupOperation => {
    const { attributes: wanted, propagation, recursive, data } = parseMountOptions(options);
    const attributes = nodev ? wanted | NODEV : wanted;
    if (type !== 'bind')
      return mountOf(type, target, attributes, data, source, { create: 'directory', noFollow: true });
    // What is mounted in the root is this container's: nothing of it goes back to the host.
    return bindOf(source, target, {
      set: attributes,
      propagation: propagation === 0n ? propagationOf('rprivate') : propagation,
      recursive,
      target: { create: target === '' ? 'directory' : 'like-source', noFollow: true },
      opened: idmappedRoot ? 'idmapped' : 'inside',
    });
  });
  return base === null ? operations : [{ kind: 'layers', hostPath: base }, ...operations];
}

/**
 * Makes all of a root read-only, be it of one mount or of many, last of all: until then places are made in it. What
 * the caller has mounted on or over one of them stays as it is.
 */
export function readonlyRootOperations(
  mounts: readonly Mount[],
  userTargets: ReadonlySet<string>,
): readonly SetupOperation[] {
  const isCovered = (path: string) =>
    [...userTargets].some((target) => path === target || path.startsWith(`${target}/`));
  return mounts.flatMap(({ target = '' }): readonly SetupOperation[] =>
    isCovered(`/${target}`) ? [] : [{ kind: 'root-attributes', path: target, attributes: RDONLY }],
  );
}

/** What is shifted of a root: a directory that holds its layers, or the tree itself. */
export function shiftedDirectory(mounts: readonly Mount[]): { directory: string; isLayers: boolean } {
  const { base } = layersBelow(mounts);
  return base === null ? { directory: mounts[0]?.source ?? '/', isLayers: false } : { directory: base, isLayers: true };
}

const layerOption = /^(lowerdir\+|upperdir|workdir)=(.*)$/s;

/**
 * The directories of overlays as paths below the one that holds them all: that one is shifted, and with it every layer. What is
 * shifted can be reached by the container's root, whom the directories above are closed to.
 */
function layersBelow(mounts: readonly Mount[]): { base: string | null; layered: readonly Mount[] } {
  const directories = mounts.flatMap(({ type, options }) =>
    type === 'overlay' ? options.flatMap((option) => layerOption.exec(option)?.[2] ?? []) : [],
  );
  const [first] = directories;
  if (first === undefined) return { base: null, layered: mounts };
  let base = dirname(first);
  while (base !== '/' && !directories.every((path) => path.startsWith(`${base}/`))) base = dirname(base);
  const below = (option: string): string =>
    option.replace(layerOption, (_, key: string, path: string) => `${key}=${relative(base, path)}`);
  return { base, layered: mounts.map((mount) => ({ ...mount, options: mount.options.map(below) })) };
}
