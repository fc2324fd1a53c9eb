import { setTimeout as sleep } from 'node:timers/promises';
import { HakoError } from '../base/errors.ts';
import { raceSignal } from '../base/signal.ts';
import { signalNumber } from '../base/signal-number.ts';
import type { EventRecorder, ExitResult } from '../contracts/events.ts';
import type { ContainerDefaults } from '../oci/image-config.ts';
import type { StopOptions } from './container.ts';
import { containerEvent } from './container-event.ts';
import type { Halter } from './keeping/halter.ts';
import type { ParsedContainerOptions } from './options.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import type { ResourceOperations } from './resource-operations.ts';
import type { StateReader } from './state-reader.ts';
import type { Supervised, Supervision } from './supervision.ts';
import { lastExit } from './waiter.ts';

/** What to end a container with, checked. */
export type GivenStop = Omit<StopOptions, 'stopSignal'> & { readonly stopSignal?: number };

/** Ends containers, for now or for good. */
export class Stopper {
  readonly #states: StateReader;
  readonly #supervision: Supervision;
  readonly #halter: Halter;
  readonly #resources: Pick<ResourceOperations, 'release'>;
  readonly #history: EventRecorder;

  constructor(
    states: StateReader,
    supervision: Supervision,
    halter: Halter,
    resources: Pick<ResourceOperations, 'release'>,
    history: EventRecorder,
  ) {
    this.#states = states;
    this.#supervision = supervision;
    this.#halter = halter;
    this.#resources = resources;
    this.#history = history;
  }

  /** No policy starts it again. @param isToGoOn - whoever stops it starts it again */
  async stop(found: ContainerRecord, options: GivenStop, isToGoOn = false): Promise<ExitResult> {
    const record = await this.#halter.halt(found, options.signal, isToGoOn);
    const supervised = await this.#supervision.find(record);
    if (supervised === null) return lastExit(this.#states.refresh(record));
    const exit = await this.end(supervised, options);
    this.#history.record(containerEvent(record, 'stop'));
    return exit;
  }

  /** As `stop`, and its policy goes on. */
  async end(supervised: Supervised, options: GivenStop): Promise<ExitResult> {
    const { record } = supervised;
    const control = await this.#supervision.control(supervised);
    const first = options.stopSignal ?? stopSignal(record);
    control.signal(first);
    await this.#resources.release(record);
    this.#history.record(containerEvent(record, 'kill', { signal: String(first) }));
    const stopped = new AbortController();
    try {
      const timeout = (options.timeout ?? optionsOf(record).stopTimeout) * 1000;
      const waited = sleep(timeout, null, { signal: stopped.signal }).catch(() => null);
      const exit = await raceSignal(Promise.race([supervised.ended, waited]), options.signal);
      if (exit !== null) return exit;
    } finally {
      stopped.abort();
    }
    control.signal(signalNumber('SIGKILL'));
    this.#history.record(containerEvent(record, 'kill', { signal: String(signalNumber('SIGKILL')) }));
    return raceSignal(supervised.ended, options.signal);
  }

  async kill(found: ContainerRecord, signal: number): Promise<void> {
    const isLast =
      signal === signalNumber('SIGKILL') || signal === signalNumber('SIGTERM') || signal === stopSignal(found);
    const wasRestarting = isLast && this.#states.refresh(found).state.status === 'restarting';
    const record = isLast ? await this.#halter.halt(found) : found;
    if (wasRestarting && record.state.status === 'exited') return;
    const supervised = await this.#supervision.require(record);
    await (await this.#supervision.control(supervised)).signal(signal);
    if (signal === stopSignal(record)) await this.#resources.release(record);
    this.#history.record(containerEvent(record, 'kill', { signal: String(signal) }));
  }
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for an image that names no signal: the container could not be stopped */
export function checkStopSignal(
  { stopSignal: chosen }: Pick<ParsedContainerOptions, 'stopSignal'>,
  { stopSignal: ofImage }: Pick<ContainerDefaults, 'stopSignal'>,
): void {
  if (chosen !== undefined || ofImage === undefined) return;
  try {
    signalNumber(ofImage);
  } catch (cause) {
    throw new HakoError(
      'INVALID_OPTION',
      `The image's stop signal '${ofImage}' is not a signal. Choose one with the option stopSignal.`,
      { cause },
    );
  }
}

function stopSignal(record: ContainerRecord): number {
  return signalNumber(optionsOf(record).stopSignal ?? record.imageDefaults.stopSignal ?? 'SIGTERM');
}
