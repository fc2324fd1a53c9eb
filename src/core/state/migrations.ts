import { eventSchema } from './event-schema.ts';
import { idRangeSchema } from './id-range-repository.ts';

/**
 * The schema, one step a version. A step that has been released never changes; a new one is added at the end.
 *
 * Records are JSON, read through zod; columns are only what is searched for.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    image_id TEXT NOT NULL,
    record TEXT NOT NULL,
    state TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX containers_by_image ON containers (image_id);

  CREATE TABLE images (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE image_references (
    reference TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_references_by_image ON image_references (image_id);

  CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE lease_resources (
    lease_id TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    PRIMARY KEY (lease_id, resource)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE removals (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE quarantine (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    content TEXT NOT NULL,
    reason TEXT NOT NULL,
    found_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE properties (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  eventSchema,
  // Leases end with their holders, not with the hour.
  `
  DROP TABLE lease_resources;
  DROP TABLE leases;
  CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    holder TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE lease_resources (
    lease_id TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    PRIMARY KEY (lease_id, resource)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE container_health (
    id TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
    health TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  idRangeSchema,
];
