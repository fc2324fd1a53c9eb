import type { z } from 'zod';
import { currentBootId, isAlive, ownIdentity } from '../../host/process-identity.ts';
import { planOf } from '../health/health-service.ts';
import type { ContainerRecord, lifeSchema, RecordedState } from '../record.ts';
import { optionsOf } from '../record-options.ts';

export type Life = z.infer<typeof lifeSchema>;

/** Whether something is to be done for a container while it runs or at its end: check it, restart it, remove it. */
export function isKept(record: ContainerRecord): boolean {
  const { restart, autoRemove } = optionsOf(record);
  return restart.policy !== 'no' || autoRemove || planOf(record) !== null;
}

/** The life of a container that somebody has started, kept by this process. */
export function newLife(): Life {
  return { restarts: 0, delay: 0, keeper: ownIdentity(), stopped: null };
}

export function lifeOf(state: RecordedState): Life | undefined {
  return 'life' in state ? state.life : undefined;
}

/** Whether somebody has stopped it only to start it again at once. */
export function isBeingRestarted(state: RecordedState | undefined): boolean {
  const by = state === undefined ? undefined : lifeOf(state)?.restartedBy;
  return by !== undefined && isAlive(by);
}

/** Whether somebody has stopped it: for `always`, the next boot of the machine is a new beginning, as Docker's daemon has it. */
export function isStopped(life: Life, policy: string): boolean {
  return life.stopped !== null && (policy !== 'always' || life.stopped === currentBootId());
}
