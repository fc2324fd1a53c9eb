import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { NativeServices } from '../contracts/native-services.ts';
import { journalFile } from './journal-format.ts';
import { JournalPump, type JournalPumpResult, messageOf } from './journal-pump.ts';
import type { LoggedContainer, LogService } from './log-service.ts';

/** A container that may have a journal; what is costly to find out is asked only of those that have. */
export interface JournaledContainer {
  readonly id: ContainerId;
  readonly name: string;
  /** The container's own on the host. */
  readonly directory: string;
  logged(): LoggedContainer;
}

/** The journals that this process brings to their drivers, each by a pump of its own. */
export class JournalDeliveries implements AsyncDisposable {
  /** The newest for each container. */
  readonly #pumps = new Map<ContainerId, JournalPump>();
  readonly #working = new Set<Promise<void>>();
  /** Containers whose journals go when their pumps are done. */
  readonly #removing = new Set<ContainerId>();
  readonly #logs: LogService;
  readonly #lock: NativeServices['lock'];
  readonly #warn: (message: string, cause?: unknown) => void;

  constructor(logs: LogService, lock: NativeServices['lock'], warn: (message: string, cause?: unknown) => void) {
    this.#logs = logs;
    this.#lock = lock;
    this.#warn = warn;
  }

  has({ directory }: Pick<JournaledContainer, 'directory'>): boolean {
    return existsSync(join(directory, journalFile));
  }

  /** Delivers what is in the container's journal, and what comes until `ended` settles. No journal: nothing. */
  follow(container: JournaledContainer, ended: Promise<unknown>): void {
    if (!this.has(container) || this.#pumps.get(container.id)?.follow(ended) === true) return;
    this.#start(container, ended);
  }

  /**
   * Delivers the rest of a container's journal before it is removed. What cannot be delivered in time is lost, and told.
   *
   * @throws HakoError `HAKO_ERR_RUNTIME_CLOSED` when it was cut short: the next runtime is to go on.
   */
  async finish(container: JournaledContainer): Promise<void> {
    if (!this.has(container)) return;
    const { id, name } = container;
    this.#removing.add(id);
    try {
      const pump = this.#pumps.get(id) ?? this.#start(container, Promise.resolve());
      const { pending } = await pump.done;
      if (pending === 0 || !pump.isStopping) return;
    } finally {
      this.#removing.delete(id);
    }
    throw new HakoError(
      'RUNTIME_CLOSED',
      `The runtime was closed before the log of container '${name}' was delivered. The next one on this root delivers it, and removes the container.`,
    );
  }

  #start(container: JournaledContainer, ended: Promise<unknown>): JournalPump {
    const { id, name, directory } = container;
    const pump = new JournalPump(
      {
        name,
        directory,
        lock: this.#lock,
        writer: (options) => this.#logs.writer(container.logged(), options),
        warn: this.#warn,
      },
      ended,
    );
    this.#pumps.set(id, pump);
    const work = pump.done.then((result) => {
      this.#working.delete(work);
      if (this.#pumps.get(id) === pump) this.#pumps.delete(id);
      this.#report(container, result);
    });
    this.#working.add(work);
    return pump;
  }

  #report({ id, name }: JournaledContainer, { pending, problem }: JournalPumpResult): void {
    if (problem === undefined) return;
    const future = this.#removing.has(id)
      ? 'They are lost with the container.'
      : 'They stay in its journal, and are tried again when the container is started or removed, or a runtime opened.';
    this.#warn(
      pending === 0
        ? `The end of the log of container '${name}' may not have been delivered: ${messageOf(problem)}.`
        : `${pending} log records of container '${name}' have not been delivered: ${messageOf(problem)}. ${future}`,
      problem,
    );
  }

  /** Gives up what is left to the next runtime on the root, in bounded time. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pump of this.#pumps.values()) pump.stop();
    await Promise.all(this.#working);
  }
}
