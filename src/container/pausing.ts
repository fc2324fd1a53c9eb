import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError, hasHakoCode } from '../base/errors.ts';
import { raceSignal } from '../base/signal.ts';
import { freezeGroups, freezerState, thawGroups } from '../cgroup/index.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { type ControlGroups, groupsOf } from './control-groups.ts';
import { HoldMarks } from './hold-marks.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import type { StateReader } from './state-reader.ts';

/** Milliseconds between two looks at what other holders are at. */
const poll = 10;

/** Whether a container is held by its freezer. No record says so: the kernel is asked, and it cannot be wrong after a crash. */
export function isPaused(record: Pick<ContainerRecord, 'state'>): boolean {
  return freezerState(groupsOf(record)) !== 'thawed';
}

/**
 * Holds containers where they are, and lets them go on. Several may hold one at once, also of several processes: a
 * caller's pause and any number of jobs on its files. It goes on with the last of them.
 */
export class Pausing {
  readonly #repository: ContainerRepository;
  readonly #states: Pick<StateReader, 'directory'>;
  readonly #groups: ControlGroups;

  constructor(repository: ContainerRepository, states: Pick<StateReader, 'directory'>, groups: ControlGroups) {
    this.#repository = repository;
    this.#states = states;
    this.#groups = groups;
  }

  /** @throws HakoError `HAKO_ERR_CONTAINER_PAUSED` */
  async pause(record: ContainerRecord, options: OperationOptions): Promise<void> {
    const groups = await this.#groups.under(record, 'freezer');
    // Of the groups that there are now: on v1 the freezer's may be among them only since a moment ago.
    const frozen = () => freezerState(groups) !== 'thawed';
    const marks = this.#require(record);
    // A mark without its freezing is of a process that was killed in between; a freezing without marks is a stranger's.
    const isUnmarked = () => !marks.others('hold') && !marks.others('thaw') && marks.dead().length === 0;
    if ((marks.hasPause() || isUnmarked()) && frozen()) throw isPausedAlready(record, 'Unpause it first.');
    marks.addPause();
    try {
      await untilSettled(marks, options);
      await freezeGroups(groups, options);
    } catch (error) {
      marks.removePause();
      await this.#undo(error, () => this.#thawUnlessHeld(record, marks, marks.add('thaw')));
    }
  }

  /** @throws HakoError `HAKO_ERR_CONTAINER_NOT_PAUSED` */
  async unpause(record: ContainerRecord, options: OperationOptions): Promise<void> {
    options.signal?.throwIfAborted();
    const marks = this.#marksOf(record);
    if (marks === null || !isPaused(record)) throw isNotPaused(record);
    const isPause = marks.hasPause();
    if (!isPause && marks.others('hold'))
      throw new HakoError(
        'CONTAINER_NOT_PAUSED',
        `Container '${record.name}' is held while its files are read, and goes on by itself afterwards.`,
      );
    marks.removePause();
    await this.#thawUnlessHeld(record, marks, marks.add('thaw'), options);
    while ((marks.others('hold') || marks.others('thaw')) && !marks.hasPause())
      await raceSignal(sleep(poll), options.signal);
  }

  /**
   * Lets a container go on whoever holds it, so that a signal which was sent is acted on.
   *
   * @returns whether it was paused
   */
  async release({ id }: Pick<ContainerRecord, 'id'>): Promise<boolean> {
    const record = this.#repository.find(id);
    const marks = this.#marksOf(record);
    if (record === null || marks === null || !isPaused(record)) return false;
    const wasPaused = marks.hasPause() || !marks.others('hold');
    marks.removePause();
    await this.#thaw(record, marks, marks.add('thaw'));
    return wasPaused;
  }

  /**
   * Holds a container that runs, until what is returned is called.
   *
   * @throws HakoError `HAKO_ERR_HOST_UNSUPPORTED` where it cannot be held
   */
  async hold(record: ContainerRecord, options: OperationOptions): Promise<() => Promise<void>> {
    const groups = await this.#groups.under(record, 'freezer');
    const marks = this.#require(record);
    const mark = marks.add('hold');
    const alone = () => !marks.hasPause() && !marks.others('hold', mark) && !marks.others('thaw');
    // A stranger has frozen it, and wants to find it so. Whoever came between the two looks did it for themselves.
    if (alone() && freezerState(groups) === 'frozen' && alone()) {
      marks.remove(mark);
      return async () => {};
    }
    try {
      await untilSettled(marks, options);
      await freezeGroups(groups, options);
    } catch (error) {
      await this.#undo(error, () => this.#thawUnlessHeld(record, marks, marks.turn(mark)));
    }
    return () => this.#thawUnlessHeld(record, marks, marks.turn(mark));
  }

  /** Lets go of a container that processes which are no more have held. */
  async forgetDead(record: ContainerRecord): Promise<void> {
    const marks = this.#marksOf(record);
    const dead = marks?.dead() ?? [];
    if (marks === null || dead.length === 0) return;
    await this.#thawUnlessHeld(record, marks, marks.add('thaw'));
    for (const name of dead) marks.remove(name);
  }

  async #undo(error: unknown, undo: () => Promise<void>): Promise<never> {
    await undo().catch((failure: unknown) => {
      throw new AggregateError([error, failure], 'A container could be neither frozen nor thawed.');
    });
    throw error;
  }

  /** Whoever holds it from now on waits for `thawing` to go; whoever holds it already is seen here. */
  async #thawUnlessHeld(
    record: ContainerRecord,
    marks: HoldMarks,
    thawing: string,
    options: OperationOptions = {},
  ): Promise<void> {
    if (marks.others('hold')) marks.remove(thawing);
    else await this.#thaw(record, marks, thawing, options);
  }

  async #thaw(
    { id }: ContainerRecord,
    marks: HoldMarks,
    thawing: string,
    options: OperationOptions = {},
  ): Promise<void> {
    try {
      // Groups that it got for this are in its record by now.
      const record = this.#repository.find(id);
      if (record !== null && isPaused(record)) await thawGroups(groupsOf(record), options);
    } catch (error) {
      if (!hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_RUNNING')) throw error;
    } finally {
      marks.remove(thawing);
    }
  }

  /** null: it does not run. */
  #marksOf(record: ContainerRecord | null): HoldMarks | null {
    if (record?.state.status !== 'running') return null;
    return new HoldMarks(this.#states.directory(record.id), record.state.supervisor);
  }

  #require({ id, name }: ContainerRecord): HoldMarks {
    const marks = this.#marksOf(this.#repository.find(id));
    if (marks !== null) return marks;
    throw new HakoError('CONTAINER_NOT_RUNNING', `Container '${name}' has just ended.`);
  }
}

/** A thawing that began before goes on to its end, and would undo the freezing. */
async function untilSettled(marks: HoldMarks, { signal }: OperationOptions): Promise<void> {
  while (marks.others('thaw')) await raceSignal(sleep(poll), signal);
}

/** @throws HakoError `HAKO_ERR_CONTAINER_PAUSED` */
export function refusePaused(record: ContainerRecord, remedy: string): void {
  if (isPaused(record)) throw isPausedAlready(record, remedy);
}

function isPausedAlready({ name }: ContainerRecord, remedy: string): HakoError {
  return new HakoError('CONTAINER_PAUSED', `Container '${name}' is paused. ${remedy}`);
}

function isNotPaused({ name, state }: ContainerRecord): HakoError {
  return new HakoError(
    'CONTAINER_NOT_PAUSED',
    `Container '${name}' is not paused (${state.status}), so it cannot be unpaused.`,
  );
}
