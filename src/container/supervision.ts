import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ExitResult } from '../contracts/events.ts';
import type { SupervisorSession } from '../native/supervisor-session.ts';
import { readExitRecord } from './exit-record.ts';
import type { SupervisorLauncher } from './launcher.ts';
import { type ContainerRecord, isSameRun } from './record.ts';
import type { StateReader } from './state-reader.ts';

/** A running container as this process sees it. */
export interface Supervised {
  readonly record: ContainerRecord;
  /** Tells of the end and takes signals. */
  readonly session: SupervisorSession;
  /** This process started it: unless `detached`, it ends when the session does. */
  readonly owned: boolean;
  /**
   * Resolves when the container has ended and that is recorded, whether its output was read or not; rejects when its
   * supervisor was lost.
   */
  readonly ended: Promise<ExitResult>;
  /** Resolves when the supervisor's process has gone too. */
  readonly gone: Promise<unknown>;
}

/** What the rest of the runtime wants to hear of. */
export interface SupervisionListener {
  adopted(supervised: Supervised): void;
  exited(record: ContainerRecord, exit: ExitResult): void;
  /** The kernel has killed further processes for want of memory: so many since the start. */
  oom(record: ContainerRecord, kills: number): void;
  logRotated(record: ContainerRecord): void;
}

/** The running containers that this process has a session with; each is recorded as exited when it ends. */
export class Supervision {
  readonly #live = new Map<ContainerId, Supervised>();
  /** Supervisors that clear up after a container that has ended. */
  readonly #departing = new Map<ContainerId, Supervised>();
  /** Those that have ended, and whose supervisor may still be there. */
  readonly #going = new Set<Supervised>();
  /** Second sessions, see {@link control}. */
  readonly #controls = new WeakMap<Supervised, Promise<SupervisorSession>>();
  /** What settles `ended`. */
  readonly #ends = new WeakMap<Supervised, (exit: ExitResult) => void>();
  /** OOM kills that the listener was told of. */
  readonly #oomKills = new WeakMap<Supervised, number>();
  readonly #connecting = new Map<ContainerId, Promise<Supervised | null>>();
  readonly #states: StateReader;
  readonly #launcher: SupervisorLauncher;
  readonly #listener: SupervisionListener;

  constructor(states: StateReader, launcher: SupervisorLauncher, listener: SupervisionListener) {
    this.#states = states;
    this.#launcher = launcher;
    this.#listener = listener;
  }

  /**
   * Takes charge of a container that has just been started, or found.
   *
   * @param gone - of one that was found, its session's end
   */
  adopt(record: ContainerRecord, session: SupervisorSession, owned: boolean, gone: Promise<unknown>): Supervised {
    session.onLogRotated = () => this.#listener.logRotated(record);
    const end = Promise.withResolvers<ExitResult>();
    session.exited.then(end.resolve, end.reject);
    const ended = end.promise.then(
      (exit) => this.#recordEnd(supervised, exit),
      (error: unknown) => {
        forget(this.#live, supervised);
        throw error;
      },
    );
    // Whoever waits hears of it; if nobody does, the record still tells.
    ended.catch(() => {});
    const supervised: Supervised = { record, session, owned, ended, gone };
    this.#ends.set(supervised, end.resolve);
    this.#departing.set(record.id, supervised);
    const departed = () => forget(this.#departing, supervised);
    gone.then(departed, departed);
    this.#live.set(record.id, supervised);
    this.#listener.adopted(supervised);
    session.onOom = (kills) => this.#tellOom(supervised, kills);
    session.onHeldUp = () => void this.control(supervised).catch(() => {});
    if (session.isHeldUp) session.onHeldUp();
    return supervised;
  }

  /**
   * A session for signals and the like, that nothing holds up: the container's own, or a second one when the program's
   * streams flow over that.
   */
  control(supervised: Supervised): Promise<SupervisorSession> {
    if (!supervised.session.carriesStreams) return Promise.resolve(supervised.session);
    let control = this.#controls.get(supervised);
    if (control === undefined) {
      control = this.#openControl(supervised);
      this.#controls.set(supervised, control);
      control.catch(() => this.#controls.delete(supervised));
    }
    return control;
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

  /** Whether the run that began then has not ended yet, as far as this process has heard. */
  isLive(id: ContainerId, startedAt: string): boolean {
    const state = this.#live.get(id)?.record.state;
    return state?.status === 'running' && state.startedAt === startedAt;
  }

  async find(record: ContainerRecord): Promise<Supervised | null> {
    const live = this.#live.get(record.id);
    if (live !== undefined && !(await this.#isOvertaken(live, record))) return live;
    const current = live === undefined ? this.#states.refresh(record) : this.#states.current(record.id);
    if (current?.state.status !== 'running') return null;
    let connecting = this.#connecting.get(record.id);
    if (connecting === undefined) {
      connecting = this.#connect(current).finally(() => this.#connecting.delete(record.id));
      this.#connecting.set(record.id, connecting);
    }
    return connecting;
  }

  /**
   * Resolves when nothing of the container's last run is left in the kernel but its supervisor, which has nothing more
   * to do. What nobody has read of the output is dropped.
   */
  async departed(id: ContainerId): Promise<void> {
    if (this.#live.has(id)) return;
    const departing = this.#departing.get(id);
    departing?.session.endStreams();
    await departing?.session.cleared;
  }

  /** Resolves when no supervisor is left of any container that has ended. What nobody has read of its output is dropped. */
  async allGone(): Promise<void> {
    await Promise.allSettled(
      [...this.#going].map(({ session, gone }) => {
        session.endStreams();
        return gone;
      }),
    );
  }

  /** The containers that end with this process's sessions, and those that do not. */
  live(): readonly Supervised[] {
    return [...this.#live.values()];
  }

  /** Whether another process has started it anew before this one has heard of the run's end, which is waited for then. */
  async #isOvertaken(
    { record: { state }, ended }: Supervised,
    { id, state: known }: ContainerRecord,
  ): Promise<boolean> {
    if (known.status !== 'running' || isSameRun(known, state)) return false;
    const current = this.#states.current(id)?.state;
    if (current?.status !== 'running' || isSameRun(current, state)) return false;
    await ended.catch(() => {});
    return true;
  }

  async #connect(record: ContainerRecord): Promise<Supervised | null> {
    const session = await this.#launcher.connect(this.#states.directory(record.id));
    if (session === null) return null;
    session.attach({ stdin: false, stdout: false, stderr: false });
    return this.adopt(record, session, false, session.closed);
  }

  async #openControl(supervised: Supervised): Promise<SupervisorSession> {
    const { record, session } = supervised;
    const directory = this.#states.directory(record.id);
    const settle = this.#ends.get(supervised);
    const control = await this.#launcher.connect(directory);
    if (control === null) {
      // It has ended: the record was written before the socket was closed.
      const exit = readExitRecord(directory);
      if (exit !== null) settle?.(exit);
      return session;
    }
    control.attach({ stdin: false, stdout: false, stderr: false });
    control.onOom = session.onOom;
    control.exited.then(settle, () => {});
    session.closed.then(() => control.close());
    return control;
  }

  #recordEnd(supervised: Supervised, exit: ExitResult): ExitResult {
    const { record } = supervised;
    forget(this.#live, supervised);
    this.#going.add(supervised);
    const departed = () => this.#going.delete(supervised);
    supervised.gone.then(departed, departed);
    this.#states.recordEnd(record, exit);
    // Of kills before this process had a session.
    if (exit.oomKilled && !this.#oomKills.has(supervised)) this.#tellOom(supervised, 1);
    this.#listener.exited(record, exit);
    return exit;
  }

  /** Both sessions with a container bring the same news. */
  #tellOom(supervised: Supervised, kills: number): void {
    if (kills <= (this.#oomKills.get(supervised) ?? 0)) return;
    this.#oomKills.set(supervised, kills);
    this.#listener.oom(supervised.record, kills);
  }
}

/** Leaves alone what a later run has put there. */
function forget(from: Map<ContainerId, Supervised>, supervised: Supervised): void {
  if (from.get(supervised.record.id) === supervised) from.delete(supervised.record.id);
}
