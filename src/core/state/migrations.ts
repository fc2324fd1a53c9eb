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

  CREATE TABLE quarantine (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    content TEXT NOT NULL,
    reason TEXT NOT NULL,
    found_at INTEGER NOT NULL
  ) STRICT;
  `,
];
