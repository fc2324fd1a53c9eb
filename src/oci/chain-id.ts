import { type Digest, digestOf } from '../base/digest.ts';

/**
 * The chain ID of each layer (config.md, "Layer ChainID"): it names a layer *on top of those below it*, which is
 * what a snapshot holds. `chainIds([a, b])` is `[a, sha256(a + ' ' + b)]`.
 */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
