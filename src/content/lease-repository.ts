import type { Digest } from '../base/digest.ts';
import type { ActiveKey, CommittedName } from '../contracts/storage-driver.ts';

/**
 * Something that garbage collection may remove: `blob:<digest>`, or `snapshot:<name>` in whatever storage driver has it.
 */
export type ResourceKey = `blob:${Digest}` | `snapshot:${string}`;

/** Keeps resources alive while an operation that needs them has not yet recorded them as an image's. */
export interface LeaseRecord {
  readonly id: string;
  /** What the lease is for, for people who look at the state. */
  readonly purpose: string;
  /** Milliseconds since the epoch; after that the lease of a process that died holds nothing any more. */
  readonly expiresAt: number;
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
  renewLease(leaseId: string, expiresAt: number): void;
  /** Removes a lease and what it holds; not there: fine. */
  deleteLease(leaseId: string): void;
  /** Removes the leases whose time is up (`expiresAt < now`). */
  deleteExpiredLeases(now: number): void;
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
