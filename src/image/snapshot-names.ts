import { createHash } from 'node:crypto';
import { type Digest, digestOf, isDigest } from '../base/digest.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { CommittedName } from '../contracts/storage-driver.ts';

/** What a chain of no layers is called. */
export const emptyChain = digestOf('');

/**
 * The name of the snapshot that holds a layer on top of those below it. Where files are not owned as the layer says,
 * the snapshot is another one.
 */
export function layerSnapshot(chainId: Digest, ownership: FileOwnership): CommittedName {
  return `${chainId}${ownershipSuffix(ownership)}` as CommittedName;
}

/** The name of the snapshot that containers of an image are based on: its layers, and what hako needs to mount over. */
export function initSnapshot(topChainId: Digest | null, ownership: FileOwnership): CommittedName {
  return `${layerSnapshot(topChainId ?? emptyChain, ownership)}-init` as CommittedName;
}

/** The chain ID in a snapshot's name; null when the name is of no image's layer. */
export function chainIdOf(name: string): Digest | null {
  const chainId = name.slice(0, 'sha256:'.length + 64);
  return isDigest(chainId) ? chainId : null;
}

function ownershipSuffix(ownership: FileOwnership): string {
  if (ownership.kind === 'same') return '';
  const { uid, gid } = ownership.idMappings;
  return `+${createHash('sha256')
    .update(JSON.stringify([ownership.kind, uid, gid]))
    .digest('hex')
    .slice(0, 12)}`;
}
