import { HakoError } from '../base/errors.ts';
import { type CgroupGroup, joinController } from '../cgroup/index.ts';
import type { CgroupHost } from '../contracts/host-info.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import { type ContainerRecord, isSameRun, type RecordedState } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import type { Supervised, Supervision } from './supervision.ts';

/** The control groups of running containers, and those that they get while they run. */
export class ControlGroups {
  readonly #host: CgroupHost;
  readonly #repository: ContainerRepository;
  readonly #supervision: Supervision;
  readonly #openGroups: () => Promise<unknown>;

  /** @param openGroups - makes the parents of control groups, which another runtime may have removed when it closed */
  constructor(
    host: CgroupHost,
    repository: ContainerRepository,
    supervision: Supervision,
    openGroups: () => Promise<unknown>,
  ) {
    this.#host = host;
    this.#repository = repository;
    this.#supervision = supervision;
    this.#openGroups = openGroups;
  }

  /**
   * Sees to it that a running container is under a controller.
   *
   * @returns all its groups
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`, `HAKO_ERR_HOST_UNSUPPORTED`
   */
  async under(record: ContainerRecord, controller: string): Promise<readonly CgroupGroup[]> {
    const supervised = await this.#supervision.require(record);
    const groups = groupsOf(this.#repository.find(record.id));
    return joinController(this.#host, record.id, groups, controller, {
      make: async (directory) => this.#add(await this.#supervision.control(supervised), directory),
      record: (joined) => void this.#repository.reviseState(record.id, (state) => extended(state, supervised, joined)),
    });
  }

  async #add(control: Pick<SupervisorSession, 'addGroup'>, directory: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await control.addGroup(directory);
      } catch (error) {
        if (!(error instanceof HakoError) || error.errno !== 'ENOENT' || attempt === mostTries) throw error;
        await this.#openGroups();
      }
    }
  }
}

/** The parents of control groups are gone so often in a row only when runtimes open and close without a pause. */
const mostTries = 10;

/** Those that a record claims; none of a container that does not run. */
export function groupsOf(record: Pick<ContainerRecord, 'state'> | null): readonly CgroupGroup[] {
  return record?.state.status === 'running' ? record.state.cgroups : [];
}

/** Others may have added theirs meanwhile; to another run they are of no use. */
function extended(state: RecordedState, { record }: Supervised, groups: readonly CgroupGroup[]): RecordedState | null {
  if (state.status !== 'running' || !isSameRun(state, record.state)) return null;
  const known = new Set(state.cgroups.map(({ directory }) => directory));
  const added = groups.filter(({ directory }) => !known.has(directory));
  return {
    ...state,
    cgroups: [...state.cgroups, ...added.map((group) => ({ ...group, controllers: [...group.controllers] }))],
  };
}
