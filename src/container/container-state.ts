import { HakoError } from '../base/errors.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { ContainerRecord, RecordedState } from './record.ts';

/**
 * Where a container is in its life. `creating`, `starting` and `removing` pass; `restarting`: it has ended as
 * told, and its restart policy starts it again at that time; `lost`: it ended, and how is not known, because the machine
 * was restarted or its supervisor killed.
 *
 * @public
 */
export type ContainerState =
  | { readonly status: 'creating' | 'created' | 'starting' | 'removing' }
  | RunningState
  | ({ readonly status: 'exited'; readonly startedAt: Date | null } & ExitResult)
  | ({ readonly status: 'restarting'; readonly startedAt: Date | null; readonly restartAt: Date } & ExitResult)
  | { readonly status: 'lost'; readonly startedAt: Date | null; readonly reason: string };

/** A container that runs, or is `paused`: its processes are there and held. @public */
export interface RunningState {
  /** `paused`: its processes are held. */
  readonly status: 'running' | 'paused';
  readonly startedAt: Date;
  /** Of the container's first process, on the host. */
  readonly pid: number;
  /** Of hako's own process that watches over it: when that is killed, so is the container. */
  readonly supervisorPid: number;
  /** The directories of its control groups. */
  readonly cgroups: readonly string[];
}

/** A state as it was recorded, for those who ask; whether it is paused no record says. */
export function containerState(state: RecordedState, paused: boolean): ContainerState {
  switch (state.status) {
    case 'creating':
    case 'created':
    case 'starting':
    case 'removing':
      return { status: state.status };
    case 'running':
      return {
        status: paused ? 'paused' : 'running',
        startedAt: new Date(state.startedAt),
        pid: state.pid,
        supervisorPid: state.supervisor.pid,
        cgroups: state.cgroups.map(({ directory }) => directory),
      };
    case 'exited':
      return { status: 'exited', startedAt: dateOrNull(state.startedAt), ...exitOf(state) };
    case 'restarting':
      return {
        status: 'restarting',
        startedAt: dateOrNull(state.startedAt),
        restartAt: new Date(state.restartAt),
        ...exitOf(state),
      };
    case 'lost':
      return { status: 'lost', startedAt: dateOrNull(state.startedAt), reason: state.reason };
  }
}

export function exitOf(state: Extract<RecordedState, { status: 'exited' | 'restarting' }>): ExitResult {
  const { exitCode, signal, oomKilled, finishedAt } = state;
  return { exitCode, signal: signal === 0 ? null : signal, oomKilled, finishedAt: new Date(finishedAt) };
}

function dateOrNull(time: string | null): Date | null {
  return time === null ? null : new Date(time);
}

/** @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING` */
export function runningState({ name, state }: ContainerRecord): Extract<RecordedState, { status: 'running' }> {
  if (state.status === 'running') return state;
  throw new HakoError('CONTAINER_NOT_RUNNING', `Container '${name}' is not running (${state.status}). Start it first.`);
}
