import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newContainerId } from '../../src/base/ids.ts';
import { lifeOf } from '../../src/container/keeping/life.ts';
import type { ContainerRecord, RecordedState } from '../../src/container/record.ts';
import { StateReader } from '../../src/container/state-reader.ts';
import { UnwrittenRuns } from '../../src/container/unwritten-runs.ts';
import { SqliteContainerRepository } from '../../src/core/state/container-repository.ts';
import { Database } from '../../src/core/state/database.ts';
import { Quarantine } from '../../src/core/state/quarantine.ts';
import { currentBootId, ownIdentity } from '../../src/host/process-identity.ts';
import { Random } from '../soak/support/random.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-claims-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const created = (): ContainerRecord => ({
  id: newContainerId(),
  name: 'claimed',
  createdAt: new Date().toISOString(),
  createdBy: ownIdentity(),
  image: { id: 'image', name: 'image' },
  mode: { driver: 'normal', options: {} },
  log: { driver: 'none', options: {} },
  options: { restart: 'always' },
  imageDefaults: {
    ...{ env: [], entrypoint: [], cmd: [], user: '', workingDir: '', labels: {}, exposedPorts: [], volumes: [] },
  },
  state: { status: 'created' },
});

/** A process on the root, as far as states go. */
function processOn(path: string, isLocked: () => boolean) {
  const database = new Database(path);
  const quarantine = new Quarantine(database, (message) => expect.fail(message));
  const repository = new SqliteContainerRepository(database, quarantine, { before: (work) => work() });
  return {
    database,
    repository,
    states: new StateReader(repository, directory, { isLocked }, new UnwrittenRuns(repository)),
  };
}

/** The run that begins as the `number`th: each has a supervisor of its own. */
const running = (number: number): Extract<RecordedState, { status: 'running' }> => ({
  status: 'running',
  startedAt: new Date(1_700_000_000_000 + number * 1000).toISOString(),
  pid: 1000 + number,
  supervisor: { ...ownIdentity(), pid: 5000 + number },
  cgroups: [],
  life: { restarts: 0, delay: 0, keeper: null, stopped: null },
});

const stop = (state: RecordedState): RecordedState | null => {
  const life = lifeOf(state);
  return life === undefined ? null : ({ ...state, life: { ...life, stopped: currentBootId() } } as RecordedState);
};

it.each([1, 2, 3, 4, 5, 6])('no stale record undoes a stop, or ends another run (seed %i)', (seed) => {
  const random = new Random(seed);
  let isLocked = false;
  const processes = [1, 2].map(() => processOn(join(directory, 'hako.db'), () => isLocked));
  const { id } = created();
  mkdirSync(join(directory, id));
  const exitPath = join(directory, id, 'exit.json');
  const pick = () => processes[random.below(2)] ?? expect.fail('there are two');
  const known: ContainerRecord[] = [pick().repository.insert({ ...created(), id })];
  const exit = { exitCode: 3, signal: null, oomKilled: false, finishedAt: new Date(1_800_000_000_000) };
  let [runs, isStopped, ended] = [0, false, 'none' as 'none' | 'exited' | 'lost'];
  const steps = {
    read: () => void known.push(pick().repository.find(id) ?? expect.fail('it is there')),
    start() {
      const { repository, states } = pick();
      const now = states.current(id) ?? expect.fail('it is there');
      if (isLocked) return;
      rmSync(exitPath, { force: true });
      const state = running(++runs);
      expect(repository.changeState(now, state)).toBe(true);
      [isLocked, isStopped, ended] = [true, false, 'none'];
      known.push({ ...now, state });
    },
    end() {
      if (!isLocked) return;
      ended = random.chance(0.7) ? 'exited' : 'lost';
      const { exitCode, oomKilled, finishedAt } = exit;
      if (ended === 'exited') writeFileSync(exitPath, JSON.stringify({ exitCode, signal: 0, oomKilled, finishedAt }));
      isLocked = false;
    },
    stop: () => (isStopped = pick().repository.reviseState(id, stop) !== null || isStopped),
    refresh() {
      const stale = known[random.below(known.length)] ?? expect.fail('something is known');
      known.push(pick().states.refresh(stale));
    },
    recordEnd() {
      const stale = known[random.below(known.length)] ?? expect.fail('something is known');
      const isLast = stale.state.status === 'running' && stale.state.pid === 1000 + runs;
      // A session tells of its own run's end, and only of one that there was.
      if (isLast && ended !== 'exited') return;
      pick().states.recordEnd(stale, exit);
    },
    change() {
      const stale = known[random.below(known.length)] ?? expect.fail('something is known');
      const { repository } = pick();
      const now = repository.find(id)?.state;
      const changed = repository.changeState(stale, stale.state);
      expect(changed).toBe(JSON.stringify(now) === JSON.stringify(stale.state));
    },
  };
  const names = Object.keys(steps) as (keyof typeof steps)[];
  for (let step = 0; step < 400; step++) {
    const name = names[random.below(names.length)] ?? 'read';
    steps[name]();
    const { state } = pick().states.current(id) ?? expect.fail('it is there');
    const where = `step ${step} (${name})`;
    expect(lifeOf(state)?.stopped ?? null, where).toBe(isStopped ? currentBootId() : null);
    if (isLocked) expect(state, where).toMatchObject({ status: 'running', pid: 1000 + runs });
    else if (runs > 0) expect(state, where).toMatchObject({ status: ended, startedAt: running(runs).startedAt });
  }
  expect(runs).toBeGreaterThan(5);
  for (const { database } of processes) database[Symbol.dispose]();
});

it('writes down that a program ran before how it ended, when one looks who knows both', () => {
  const { database, repository } = processOn(join(directory, 'hako.db'), () => false);
  const unwritten = new UnwrittenRuns(repository);
  const states = new StateReader(repository, directory, { isLocked: () => false }, unwritten);
  const state: RecordedState = { status: 'starting', by: ownIdentity(), cgroups: [] };
  const record = repository.insert({ ...created(), options: { ephemeral: true }, state });
  const { life: _, ...ran } = running(1);
  const written = vi.spyOn(repository, 'changeState');
  unwritten.started({ ...record, state: ran }, () => {});
  const exit = { exitCode: 3, signal: null, oomKilled: false, finishedAt: new Date(1_800_000_000_000) };
  states.recordEnd({ ...record, state: ran }, exit);
  expect(states.current(record.id)?.state).toMatchObject({ status: 'exited', exitCode: 3 });
  // The history is written of these steps, and knows none that are left out.
  expect(written.mock.calls.map(([, to]) => to.status)).toEqual(['running', 'exited']);
  unwritten.forget(record.id);
  database[Symbol.dispose]();
});
