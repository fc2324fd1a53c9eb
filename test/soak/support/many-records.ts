import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/** Puts so many records into a root's store as there would be of containers like the one that is there. */
export function multiplyRecords(root: string, count: number): void {
  const database = new DatabaseSync(join(root, 'hako.db'));
  const model = database.prepare('SELECT * FROM containers').get() as Record<string, SQLInputValue>;
  const columns = Object.keys(model);
  const insert = database.prepare(
    `INSERT INTO containers (${columns.join()}) VALUES (${columns.map(() => '?').join()})`,
  );
  database.exec('BEGIN');
  for (let number = 0; number < count; number++) {
    const id = randomBytes(32).toString('hex');
    const name = `many-${number}`;
    const record = { ...JSON.parse(String(model['record'])), id, name };
    const own: Record<string, SQLInputValue> = { ...model, id, name, record: JSON.stringify(record) };
    if (number % 3 === 0) own['state'] = exited;
    insert.run(...columns.map((column) => own[column] ?? null));
  }
  database.exec('COMMIT');
  database.close();
}

const exited =
  '{"status":"exited","startedAt":null,"exitCode":0,"signal":0,"oomKilled":false,"finishedAt":"2026-01-01T00:00:00Z"}';
