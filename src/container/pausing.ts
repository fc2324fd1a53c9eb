import { HakoError } from '../base/errors.ts';
import { freezeGroups, freezerState, thawGroups } from '../cgroup/index.ts';
import type { OperationOptions } from '../contracts/operation.ts';
import { type ControlGroups, groupsOf } from './control-groups.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';

/** Whether a container is held by its freezer. No record says so: the kernel is asked, and it cannot be wrong after a crash. */
export function isPaused(record: Pick<ContainerRecord, 'state'>): boolean {
  return freezerState(groupsOf(record)) !== 'thawed';
}

/** Holds containers where they are, and lets them go on. */
export class Pausing {
  readonly #repository: ContainerRepository;
  readonly #groups: ControlGroups;
  readonly #told: (record: ContainerRecord, what: 'pause' | 'unpause') => void;

  constructor(
    repository: ContainerRepository,
    groups: ControlGroups,
    told: (record: ContainerRecord, what: 'pause' | 'unpause') => void,
  ) {
    this.#repository = repository;
    this.#groups = groups;
    this.#told = told;
  }

  async pause(record: ContainerRecord, options: OperationOptions): Promise<void> {
    const groups = await this.#groups.under(record, 'freezer');
    // Of the groups that there are now: on v1 the freezer's may be among them only since a moment ago.
    if (freezerState(groups) !== 'thawed') throw isPausedAlready(record, 'Unpause it first.');
    await freezeGroups(groups, options);
    this.#told(record, 'pause');
  }

  async unpause(record: ContainerRecord, options: OperationOptions): Promise<void> {
    if (!isPaused(record))
      throw new HakoError(
        'CONTAINER_NOT_PAUSED',
        `Container '${record.name}' is not paused (${record.state.status}), so it cannot be unpaused.`,
      );
    await thawGroups(groupsOf(record), options);
    this.#told(record, 'unpause');
  }

  /** So that a signal which was sent is acted on. */
  async release(record: ContainerRecord): Promise<void> {
    const current = this.#repository.find(record.id);
    if (current !== null && isPaused(current)) await this.unpause(current, {}).catch(ignoreEnd);
  }
}

/** @throws HakoError `HAKO_ERR_CONTAINER_PAUSED` */
export function refusePaused(record: ContainerRecord, remedy: string): void {
  if (isPaused(record)) throw isPausedAlready(record, remedy);
}

function isPausedAlready({ name }: ContainerRecord, remedy: string): HakoError {
  return new HakoError('CONTAINER_PAUSED', `Container '${name}' is paused. ${remedy}`);
}

/** One that has ended is paused no more. */
function ignoreEnd(error: unknown): void {
  if (!(error instanceof HakoError) || error.code !== 'HAKO_ERR_CONTAINER_NOT_RUNNING') throw error;
}
