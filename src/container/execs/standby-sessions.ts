import type { SupervisorSession } from '../../native/supervisor-session.ts';
import type { Supervised } from '../supervision.ts';

/** Milliseconds: whoever waits for the exec before is told first. */
const connectAfter = 2;

/** Milliseconds after which no further exec is expected. */
const keptFor = 10_000;

interface Standby {
  readonly timer: NodeJS.Timeout;
  /** null: it is still to be made. */
  readonly session: SupervisorSession | null;
}

/**
 * Sessions for the next exec in a container where one has just ended: to connect takes a fifth of the time of a short one.
 * They keep nobody waiting, neither this process nor the supervisor.
 */
export class StandbySessions implements Disposable {
  readonly #connect: (supervised: Supervised) => Promise<SupervisorSession | null>;
  readonly #standbys = new Map<Supervised, Standby>();
  readonly #known = new WeakSet<Supervised>();
  #isClosed = false;

  /** @param connect - null: the container has ended */
  constructor(connect: (supervised: Supervised) => Promise<SupervisorSession | null>) {
    this.#connect = connect;
  }

  take(supervised: Supervised): SupervisorSession | null {
    const standby = this.#standbys.get(supervised);
    clearTimeout(standby?.timer);
    this.#standbys.delete(supervised);
    standby?.session?.ref();
    return standby?.session ?? null;
  }

  /** Has one made soon, unless there is one. */
  expect(supervised: Supervised): void {
    if (this.#isClosed || this.#standbys.has(supervised)) return;
    const make = () => {
      this.#standbys.delete(supervised);
      this.#make(supervised).catch(() => {}); // the next exec tells what is in the way
    };
    this.#standbys.set(supervised, { timer: setTimeout(make, connectAfter).unref(), session: null });
    if (this.#known.has(supervised)) return;
    this.#known.add(supervised);
    const over = () => this.#drop(supervised);
    supervised.ended.then(over, over);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const supervised of this.#standbys.keys()) this.#drop(supervised);
  }

  async #make(supervised: Supervised): Promise<void> {
    const session = await this.#connect(supervised);
    if (session === null) return;
    if (this.#isClosed || this.#standbys.has(supervised)) {
      await session.close();
      return;
    }
    session.unref();
    const timer = setTimeout(() => this.#drop(supervised), keptFor).unref();
    const standby = { timer, session };
    this.#standbys.set(supervised, standby);
    session.closed.then(() => {
      if (this.#standbys.get(supervised) === standby) this.#drop(supervised);
    });
  }

  #drop(supervised: Supervised): void {
    const session = this.take(supervised);
    session?.close();
  }
}
