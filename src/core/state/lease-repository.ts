import type { LeaseRecord, LeaseRepository, ResourceKey } from '../../content/lease-repository.ts';
import type { Database } from './database.ts';

/** Leases and removal intents in the state store. */
export class SqliteLeaseRepository implements LeaseRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  transaction<T>(work: () => T): T {
    return this.#db.transaction(work);
  }

  insertLease(lease: LeaseRecord): void {
    this.#db.run(
      'INSERT INTO leases (id, purpose, expires_at) VALUES (?, ?, ?)',
      lease.id,
      lease.purpose,
      lease.expiresAt,
    );
  }

  addResource(leaseId: string, resource: ResourceKey): boolean {
    return this.#db.transaction(() => {
      if (this.#db.get('SELECT 1 FROM leases WHERE id = ?', leaseId) === undefined) return false;
      this.#db.run('INSERT OR IGNORE INTO lease_resources (lease_id, resource) VALUES (?, ?)', leaseId, resource);
      return true;
    });
  }

  renewLease(leaseId: string, expiresAt: number): void {
    this.#db.run('UPDATE leases SET expires_at = ? WHERE id = ?', expiresAt, leaseId);
  }

  deleteLease(leaseId: string): void {
    this.#db.run('DELETE FROM leases WHERE id = ?', leaseId);
  }

  deleteExpiredLeases(now: number): void {
    this.#db.run('DELETE FROM leases WHERE expires_at < ?', now);
  }

  leasedResources(): ReadonlySet<ResourceKey> {
    return new Set(
      this.#db.all('SELECT DISTINCT resource FROM lease_resources').map((row) => row['resource'] as ResourceKey),
    );
  }

  insertRemoval(resource: ResourceKey): void {
    this.#db.run('INSERT OR IGNORE INTO removals (resource) VALUES (?)', resource);
  }

  deleteRemoval(resource: ResourceKey): void {
    this.#db.run('DELETE FROM removals WHERE resource = ?', resource);
  }

  isBeingRemoved(resource: ResourceKey): boolean {
    return this.#db.get('SELECT 1 FROM removals WHERE resource = ?', resource) !== undefined;
  }

  removals(): readonly ResourceKey[] {
    return this.#db.all('SELECT resource FROM removals ORDER BY position').map((row) => row['resource'] as ResourceKey);
  }
}
