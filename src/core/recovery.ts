import { isAlive } from '../container/process-identity.ts';
import type { ContainerRecord } from '../container/record.ts';
import { optionsOf } from '../container/record-options.ts';
import type { Remover } from '../container/remover.ts';
import type { ContainerRepository } from '../container/repository.ts';
import type { StateReader } from '../container/state-reader.ts';

/**
 * Puts right what processes that are gone have left on a root: finishes removals that were begun, removes ephemeral
 * containers whose maker is no more, and brings records in line with what runs.
 */
export async function recover(
  repository: ContainerRepository,
  states: StateReader,
  remover: Remover,
  warn: (message: string, cause?: unknown) => void,
): Promise<void> {
  for (const claimed of repository.list()) {
    try {
      const record = states.refresh(claimed);
      if (record.state.status === 'removing' || isAbandoned(record)) await remover.remove(record);
    } catch (error) {
      // One container that cannot be put right must not keep the others from their user.
      warn(`Container '${claimed.name}' could not be put right: ${(error as Error).message}`, error);
    }
  }
}

function isAbandoned(record: ContainerRecord): boolean {
  const over = record.state.status !== 'running' && record.state.status !== 'starting';
  return over && optionsOf(record).ephemeral && !isAlive(record.createdBy);
}
