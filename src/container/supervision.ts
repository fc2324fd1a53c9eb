import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import type { SupervisorLauncher } from './launcher.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';
import { exitedState, type StateReader } from './state-reader.ts';

/** A running container as this process sees it. */
export interface Supervised {
  readonly record: ContainerRecord;
  /** Tells of the end and takes signals. */
  readonly session: SupervisorSession;
  /** This process started it: unless `detached`, it ends when the session does. */
  readonly owned: boolean;
  /** Resolves when the container has ended and that is recorded; rejects when its supervisor was lost. */
  readonly ended: Promise<ExitResult>;
  /** Resolves when the supervisor has gone too: nothing of the container is left in the kernel. */
  readonly gone: Promise<unknown>;
}

/** What the rest of the runtime wants to hear of. */
export interface SupervisionListener {
  adopted(supervised: Supervised): void;
  exited(record: ContainerRecord, exit: ExitResult): void;
  logRotated(record: ContainerRecord): void;
}

/** The running containers that this process has a session with; each is recorded as exited when it ends. */
export class Supervision {
  readonly #live = new Map<ContainerId, Supervised>();
  /** Supervisors that clear up after a container that has ended. */
  readonly #departing = new Map<ContainerId, Promise<unknown>>();
  readonly #connecting = new Map<ContainerId, Promise<Supervised | null>>();
  readonly #repository: ContainerRepository;
  readonly #states: StateReader;
  readonly #launcher: SupervisorLauncher;
  readonly #listener: SupervisionListener;

  constructor(
    repository: ContainerRepository,
    states: StateReader,
    launcher: SupervisorLauncher,
    listener: SupervisionListener,
  ) {
    this.#repository = repository;
    this.#states = states;
    this.#launcher = launcher;
    this.#listener = listener;
  }

  /** Takes charge of a container that has just been started, or found. `gone` of one that was found is its session's end. */
  adopt(record: ContainerRecord, session: SupervisorSession, owned: boolean, gone: Promise<unknown>): Supervised {
    session.onLogRotated = () => this.#listener.logRotated(record);
    const ended = session.exited.then(
      (exit) => this.#recordEnd(record, exit),
      (error: unknown) => {
        this.#live.delete(record.id);
        throw error;
      },
    );
    // Whoever waits hears of it; if nobody does, the record still tells.
    ended.catch(() => {});
    this.#departing.set(record.id, gone);
    const departed = () => this.#departing.delete(record.id);
    gone.then(departed, departed);
    const supervised: Supervised = { record, session, owned, ended, gone };
    this.#live.set(record.id, supervised);
    this.#listener.adopted(supervised);
    return supervised;
  }

  /**
   * The session with a running container, opened anew if another process started it.
   *
   * @throws HakoError `HAKO_ERR_CONTAINER_NOT_RUNNING`
   */
  async require(record: ContainerRecord): Promise<Supervised> {
    const supervised = await this.find(record);
    if (supervised === null)
      throw new HakoError(
        'CONTAINER_NOT_RUNNING',
        `Container '${record.name}' is not running (${this.#states.refresh(record).state.status}). Start it first.`,
      );
    return supervised;
  }

  async find(record: ContainerRecord): Promise<Supervised | null> {
    const live = this.#live.get(record.id);
    if (live !== undefined) return live;
    if (this.#states.refresh(record).state.status !== 'running') return null;
    let connecting = this.#connecting.get(record.id);
    if (connecting === undefined) {
      connecting = this.#connect(record).finally(() => this.#connecting.delete(record.id));
      this.#connecting.set(record.id, connecting);
    }
    return connecting;
  }

  /** Resolves when no supervisor of the container's last run is left. */
  async departed(id: ContainerId): Promise<void> {
    if (!this.#live.has(id)) await this.#departing.get(id);
  }

  /** The containers that end with this process's sessions, and those that do not. */
  live(): readonly Supervised[] {
    return [...this.#live.values()];
  }

  async #connect(record: ContainerRecord): Promise<Supervised | null> {
    const session = await this.#launcher.connect(this.#states.directory(record.id));
    if (session === null) return null;
    session.attach({ stdin: false, stdout: false, stderr: false });
    return this.adopt(record, session, false, session.closed);
  }

  #recordEnd(record: ContainerRecord, exit: ExitResult): ExitResult {
    this.#live.delete(record.id);
    const current = this.#repository.find(record.id);
    if (current?.state.status === 'running')
      this.#repository.changeState(record.id, 'running', exitedState(current.state.startedAt, exit));
    this.#listener.exited(record, exit);
    return exit;
  }
}
