import { HakoError } from '../../base/errors.ts';
import type { Mount } from '../../contracts/mount.ts';
import type { SetupOperation } from '../../native/protocol.ts';
import { NODEV, parseMountOptions, propagationOf } from './mount-options.ts';
import { bindOf, mountOf } from './operations.ts';

/** The mounts of a storage driver, the root first. */
export function rootOperations(mounts: readonly Mount[], nodev: boolean): readonly SetupOperation[] {
  if (mounts.length === 0 || (mounts[0]?.target ?? '') !== '') {
    throw new HakoError(
      'CONTAINER_START_FAILED',
      "The storage driver returned no mount for the container's root; its first mount must be the one without a target.",
    );
  }
  return mounts.map(({ type, source, target = '', options }) => {
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
    });
  });
}
