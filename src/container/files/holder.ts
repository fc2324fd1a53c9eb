import { hasHakoCode } from '../../base/errors.ts';
import type { OperationOptions } from '../../contracts/operation.ts';
import type { Pausing } from '../pausing.ts';
import type { ContainerRecord } from '../record.ts';
import type { RestLocks } from './rest-locks.ts';

/** Holds containers while something is done to their files. One whose holder has died is let go by whoever has the root open, or opens it next. */
export class Holder {
  readonly #locks: RestLocks;
  readonly #pausing: Pick<Pausing, 'hold' | 'forgetDead'>;
  readonly #warn: (message: string, cause?: unknown) => void;

  constructor(
    locks: RestLocks,
    pausing: Pick<Pausing, 'hold' | 'forgetDead'>,
    warn: (message: string, cause?: unknown) => void,
  ) {
    this.#locks = locks;
    this.#pausing = pausing;
    this.#warn = warn;
  }

  /**
   * Nothing changes its files while the work is done: one that is at rest stays there, one that runs is frozen.
   *
   * @param pause - `must`: fail where the host cannot freeze containers; else the work is done all the same
   */
  async whileStill<T>(
    { id }: ContainerRecord,
    { pause, ...options }: OperationOptions & { readonly pause: 'no' | 'if possible' | 'must' },
    work: () => Promise<T>,
  ): Promise<T> {
    await using settled = await this.#locks.settle(id, options);
    const { record, rest } = settled;
    if (rest !== null || pause === 'no') return await work();
    const letGo = await this.#hold(record, pause === 'must', options);
    const done = await work().catch(async (error: unknown) => {
      // What went wrong first is what the caller is told.
      await letGo().catch((failure: unknown) => this.#warn(`Container '${record.name}' could not be thawed.`, failure));
      throw error;
    });
    await letGo();
    return done;
  }

  /** Lets go of a container that a process which is no more has held. */
  async release(record: ContainerRecord): Promise<void> {
    await this.#pausing.forgetDead(record);
  }

  async #hold(record: ContainerRecord, must: boolean, options: OperationOptions): Promise<() => Promise<void>> {
    try {
      return await this.#pausing.hold(record, options);
    } catch (error) {
      // What has just ended holds still.
      const ended = hasHakoCode(error, 'HAKO_ERR_CONTAINER_NOT_RUNNING');
      if (!ended && (must || !hasHakoCode(error, 'HAKO_ERR_HOST_UNSUPPORTED'))) throw error;
      return async () => {};
    }
  }
}
