import { HakoError } from '../../base/errors.ts';

type Sqlite = typeof import('node:sqlite');

/**
 * `node:sqlite`. It is not imported: on a Node that has not got it, importing the package would fail, and with an
 * error that tells nobody what to do.
 *
 * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED`
 */
export function loadSqlite(): Sqlite {
  // Since Node 20.16.
  const load = process.getBuiltinModule as typeof process.getBuiltinModule | undefined;
  const sqlite = load?.('node:sqlite') as Sqlite | undefined;
  if (sqlite !== undefined) return sqlite;
  throw new HakoError(
    'HOST_UNSUPPORTED',
    `hako keeps its state by node:sqlite, which this Node (${process.version}) does not have. Run it with Node 22.13 or later, and without --no-experimental-sqlite.`,
  );
}
