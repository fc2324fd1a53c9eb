import type { Digest } from '../base/digest.ts';
import type { ActiveKey, CommittedName } from '../contracts/storage-driver.ts';
import type { ProcessIdentity } from '../host/process-identity.ts';

/**
 * Something that garbage collection may remove: `blob:<digest>`, or `snapshot:<name>` in whatever storage driver has it.
 */
export type ResourceKey = `blob:${Digest}` | `snapshot:${string}`;

/** Keeps resources alive while an operation that needs them has not yet recorded them as an image's. */
export interface LeaseRecord {
  readonly id: string;
  /** What the lease is for, for people who look at the state. */
  readonly purpose: string;
  /** Whose it is: with the end of that process it holds nothing any more. */
  readonly holder: ProcessIdentity;
}

/**
 * Where leases and removal intents are kept. Shared by all processes on one root; every method is synchronous, and
 * each is one transaction unless it is called inside {@link transaction}.
 */
export interface LeaseRepository {
  /** Runs `work` alone among all processes (`BEGIN IMMEDIATE`); what it throws rolls back. May be nested: the outer one counts. */
  transaction<T>(work: () => T): T;

  insertLease(lease: LeaseRecord): void;
  /** Idempotent. A lease that is not there (any more) is `false`, and nothing is held. */
  addResource(leaseId: string, resource: ResourceKey): boolean;
  /** Removes a lease and what it holds; not there: fine. */
  deleteLease(leaseId: string): void;
  /** Of all leases that there are. */
  leaseHolders(): readonly Pick<LeaseRecord, 'id' | 'holder'>[];
  /** Everything held by any lease. */
  leasedResources(): ReadonlySet<ResourceKey>;

  /** Records that a resource is about to be removed. Idempotent. */
  insertRemoval(resource: ResourceKey): void;
  deleteRemoval(resource: ResourceKey): void;
  isBeingRemoved(resource: ResourceKey): boolean;
  /** In the order in which they were inserted. */
  removals(): readonly ResourceKey[];
}

export function snapshotResource(name: ActiveKey | CommittedName): ResourceKey {
  return `snapshot:${name}`;
}

export function blobResource(digest: Digest): ResourceKey {
  return `blob:${digest}`;
}
