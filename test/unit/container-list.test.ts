import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ContainerId, newContainerId } from '../../src/base/ids.ts';
import type { ContainerRecord } from '../../src/container/record.ts';
import { SqliteContainerRepository } from '../../src/core/state/container-repository.ts';
import { Database } from '../../src/core/state/database.ts';
import { Quarantine } from '../../src/core/state/quarantine.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';
import { Random } from '../soak/support/random.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-list-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (database: Database, warn: (message: string) => void = () => undefined): SqliteContainerRepository =>
  new SqliteContainerRepository(database, new Quarantine(database, warn), { before: (work) => work() });

function record(random: Random): ContainerRecord {
  const id = newContainerId();
  return {
    id,
    name: id,
    // Few times, so that many are the same.
    createdAt: new Date(1_700_000_000_000 + random.below(5) * 1000).toISOString(),
    createdBy: ownIdentity(),
    image: { id: 'image', name: 'image' },
    mode: { driver: 'normal', options: {} },
    log: { driver: 'none', options: {} },
    options: {},
    imageDefaults: {
      env: [],
      entrypoint: [],
      cmd: [],
      user: '',
      workingDir: '',
      labels: {},
      exposedPorts: [],
      volumes: [],
    },
    state: { status: 'created' },
  };
}

it.each([1, 2, 3, 4, 5])('lists what a fresh reader would, whoever has changed what (seed %i)', async (seed) => {
  const random = new Random(seed);
  const path = join(directory, 'hako.db');
  using first = new Database(path);
  using second = new Database(path);
  const [own, foreign] = [open(first), open(second)];
  const ids: ContainerId[] = [];
  for (let step = 0; step < 300; step++) {
    const repository = random.chance(0.7) ? own : foreign;
    if (ids.length === 0 || random.chance(0.4)) {
      const made = record(random);
      repository.insert(made);
      ids.push(made.id);
    } else if (random.chance(0.5)) {
      const [id] = ids.splice(random.below(ids.length), 1);
      if (id !== undefined) repository.delete(id);
    } else {
      const found = repository.find(random.pick(ids));
      if (found !== null) repository.changeState(found, { status: 'removing', cgroups: [] });
    }
    if (random.chance(0.5)) expect(await own.list()).toEqual(await open(first).list());
  }
});

it('puts a record aside that does not read, says so once, and lists the others', async () => {
  using database = new Database(join(directory, 'hako.db'));
  const warnings: string[] = [];
  const repository = open(database, (message) => warnings.push(message));
  const random = new Random(1);
  const [sound, unsound] = [record(random), record(random)];
  for (const each of [sound, unsound]) repository.insert(each);
  await repository.list();
  database.run("UPDATE containers SET record = '{' WHERE id = ?", unsound.id);
  const fresh = open(database, (message) => warnings.push(message));
  for (let time = 0; time < 2; time++) expect((await fresh.list()).map(({ id }) => id)).toEqual([sound.id]);
  expect(warnings).toEqual([expect.stringContaining(unsound.id)]);
});
