import type { Branded } from './brand.ts';
import { randomHex } from './random.ts';

/**
 * 64 lower-case hex digits, as Docker's container ids.
 *
 * @public
 */
export type ContainerId = Branded<string, 'ContainerId'>;

/** @public */
export type ExecId = Branded<string, 'ExecId'>;

export function newContainerId(): ContainerId {
  return randomHex(32) as ContainerId;
}

export function isContainerId(text: string): text is ContainerId {
  return /^[0-9a-f]{64}$/.test(text);
}
