import { posix } from 'node:path';
import { hasHakoCode } from '../../base/errors.ts';
import type { ContainerId } from '../../base/ids.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { ContainerRecord } from '../record.ts';
import type { ContainerRepository } from '../repository.ts';
import type { CopyIn } from './copy-in.ts';
import type { CopyIntent, CopyIntents, CopyPlace } from './copy-intents.ts';
import type { CopyPlan } from './copy-plan.ts';
import type { HostFiles } from './host-files.ts';

export interface CopyKeeperParts {
  readonly intents: CopyIntents;
  readonly repository: ContainerRepository;
  readonly copyIn: Pick<CopyIn, 'sweep'>;
  readonly host: Pick<HostFiles, 'sweep'>;
  warn(message: string, cause?: unknown): void;
}

/** Sees to it that no copy leaves half a file, however it ends. */
export class CopyKeeper {
  readonly #parts: CopyKeeperParts;

  constructor(parts: CopyKeeperParts) {
    this.#parts = parts;
  }

  /** @param work - is given the name of a file that is not whole yet */
  async during(
    record: ContainerRecord | null,
    places: readonly CopyPlace[],
    { signal }: OperationOptions,
    work: (temporary: string) => Promise<void>,
  ): Promise<void> {
    const intent = this.#parts.intents.begin(record?.id ?? null, places);
    try {
      await work(intent.temporary);
    } catch (error) {
      // A worker that answers has cleared up; one that was killed has not.
      if (signal?.aborted || hasHakoCode(error, 'HAKO_ERR_SYSCALL_FAILED')) await this.#clear(intent, record);
      intent.end();
      throw error;
    }
    intent.end();
  }

  /** Takes away what copies of killed processes have left. */
  async clearLeft(): Promise<void> {
    const { intents, repository, warn } = this.#parts;
    for (const { intent, forget } of intents.left()) {
      if (intent === null) {
        warn('What was written down of a copy is damaged. Look for files that begin with .hako- where it went.');
        forget();
        continue;
      }
      const record = intent.container === null ? null : repository.find(intent.container as ContainerId);
      if (intent.container === null || !isGone(record)) {
        if (!(await this.#clear(intent, record))) continue;
        warn(
          `A copy to ${placeOf(intent, record)} was cut short: its process has ended. Files that are there are whole. Copy again.`,
        );
      }
      forget();
    }
  }

  async #clear(intent: CopyIntent, record: ContainerRecord | null): Promise<boolean> {
    const { copyIn, host, warn } = this.#parts;
    try {
      for (const place of intent.places)
        await (record === null ? host.sweep(place, intent.temporary) : copyIn.sweep(record, place, intent.temporary));
      return true;
    } catch (error) {
      // It has been removed meanwhile, and what was left with it.
      if (record !== null && isGone(this.#parts.repository.find(record.id))) return true;
      const file = `${placeOf(intent, record)}/${intent.temporary}`;
      warn(`What a copy has left may still be there: ${file}. Remove it.`, error);
      return false;
    }
  }
}

function isGone(record: ContainerRecord | null): boolean {
  return record === null || record.state.status === 'removing';
}

/** Where what is packed under one name is unpacked. */
export function placesOf({ directory, name }: CopyPlan): readonly CopyPlace[] {
  if (name === '') return [{ directory, below: true }];
  return [
    { directory, below: false },
    { directory: posix.join(directory, name), below: true },
  ];
}

function placeOf({ places: [place] }: CopyIntent, record: ContainerRecord | null): string {
  const directory = place?.directory ?? '/';
  return record === null ? directory : `'${record.name}:${directory}'`;
}
