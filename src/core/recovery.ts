import { setImmediate as afterwards, setTimeout as sleep } from 'node:timers/promises';
import { hasHakoCode } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord } from '../container/record.ts';
import { optionsOf } from '../container/record-options.ts';
import { isLeftHalfRemoved, type Remover } from '../container/remover.ts';
import type { ContainerOutline, ContainerRepository } from '../container/repository.ts';
import type { StateReader } from '../container/state-reader.ts';
import { isAlive } from '../host/process-identity.ts';

export interface RecoveryParts {
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly remover: Remover;
  /** Looks after what nobody does any more. */
  takeUp(record: ContainerRecord): Promise<void>;
  /** Whether a container's log may have to be delivered. */
  hasJournal(id: ContainerId): boolean;
  /** What a container's log needs of whoever opens the root. */
  logStatus(record: ContainerRecord): LogStatus;
  /** Takes a journal up again, of a container that runs or does not. */
  deliverLog(record: ContainerRecord): Promise<void>;
  /** For what takes longer than a user should wait for a runtime to open. */
  background(work: Promise<void>): void;
  warn(message: string, cause?: unknown): void;
}

const sliceLength = 250;
const mostLooks = 200;
const betweenLooks = 10;

/** `journal`: there is one to be delivered; `foreign`: there is, and its log driver is not known here. */
export type LogStatus = 'none' | 'journal' | 'foreign';

/**
 * Puts right what processes that are gone have left on a root: finishes removals that were begun, removes containers
 * that were not made to their end and ephemeral ones whose maker is no more, brings records in line with what runs,
 * delivers logs that nobody does, and keeps containers whose keeper is gone. Done when a root is opened, and whenever
 * another runtime on it has gone.
 */
export async function recover(parts: RecoveryParts): Promise<void> {
  for await (const { id, status, ephemeral, kept } of outlines(parts.repository)) {
    const isAtRest = (status === 'created' || status === 'exited' || status === 'lost') && !ephemeral && !kept;
    if (isAtRest && !parts.hasJournal(id)) continue;
    const claimed = parts.repository.find(id);
    if (claimed === null) continue;
    try {
      await putRight(parts, claimed);
    } catch (error) {
      tell(parts, claimed, error);
    }
  }
}

/** In slices of a few milliseconds: this is done while a runtime is at work, too. */
async function* outlines(repository: ContainerRepository): AsyncGenerator<ContainerOutline> {
  for (let after: ContainerId | '' = ''; ; await afterwards()) {
    const slice = repository.outline(after, sliceLength);
    yield* slice;
    const last = slice.at(-1);
    if (last === undefined || slice.length < sliceLength) return;
    after = last.id;
  }
}

async function putRight(parts: RecoveryParts, claimed: ContainerRecord): Promise<void> {
  const record = await settled(parts, claimed);
  const log = parts.logStatus(record);
  // A runtime that can deliver its log is to come: what is lost here is lost for good.
  if (log === 'foreign') return;
  if (isLeftHalfRemoved(record) || isLeftHalfMade(record) || isAbandoned(record)) {
    const removal = parts.remover.remove(record);
    if (log === 'none') await removal;
    else parts.background(removal.catch((error: unknown) => tell(parts, record, error)));
    return;
  }
  if (log === 'journal' && record.state.status !== 'starting' && record.state.status !== 'removing') {
    await parts.deliverLog(record);
  }
  await parts.takeUp(record);
}

/** A supervisor whose service has died before its start was recorded ends what it has begun, at once. */
async function settled({ states, repository }: RecoveryParts, claimed: ContainerRecord): Promise<ContainerRecord> {
  let record = states.refresh(claimed);
  for (let look = 0; isLeftStarting(record) && look < mostLooks; look++) {
    await sleep(betweenLooks);
    record = states.refresh(repository.find(record.id) ?? record);
  }
  return record;
}

function isLeftStarting({ state }: ContainerRecord): boolean {
  return state.status === 'starting' && !isAlive(state.by);
}

/** One container that cannot be put right must not keep the others from their user. */
function tell({ warn }: RecoveryParts, { name }: ContainerRecord, error: unknown): void {
  const done = hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_FOUND');
  if (!done && !hasHakoCode(error, 'HAKO_ERR_RUNTIME_CLOSED'))
    warn(`Container '${name}' could not be put right: ${(error as Error).message}`, error);
}

function isLeftHalfMade(record: ContainerRecord): boolean {
  return record.state.status === 'creating' && !isAlive(record.createdBy);
}

function isAbandoned(record: ContainerRecord): boolean {
  const { status } = record.state;
  const over = status !== 'running' && status !== 'starting' && status !== 'removing';
  return over && optionsOf(record).ephemeral && !isAlive(record.createdBy);
}
