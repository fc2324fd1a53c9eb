import type { LeaseRecord, LeaseRepository, ResourceKey } from '../../content/lease-repository.ts';
import { processSchema } from '../../host/process-identity.ts';
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
      'INSERT INTO leases (id, purpose, holder) VALUES (?, ?, ?)',
      lease.id,
      lease.purpose,
      JSON.stringify(lease.holder),
    );
  }

  addResource(leaseId: string, resource: ResourceKey): boolean {
    return this.#db.transaction(() => {
      if (this.#db.get('SELECT 1 FROM leases WHERE id = ?', leaseId) === undefined) return false;
      this.#db.run('INSERT OR IGNORE INTO lease_resources (lease_id, resource) VALUES (?, ?)', leaseId, resource);
      return true;
    });
  }

  deleteLease(leaseId: string): void {
    this.#db.run('DELETE FROM leases WHERE id = ?', leaseId);
  }

  leaseHolders(): readonly Pick<LeaseRecord, 'id' | 'holder'>[] {
    return this.#db.all('SELECT id, holder FROM leases').flatMap(({ id, holder }) => {
      const known = processSchema.safeParse(JSON.parse(String(holder)));
      return known.success ? [{ id: String(id), holder: known.data }] : [];
    });
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
