import type { Made, Report } from './report.ts';

/** What must hold of a container after its service was killed, as far as the service was told. */
export interface Expectation {
  readonly made: Made;
  /** `maybe`: its creation or removal was cut short, or failed. */
  exists: 'yes' | 'maybe' | 'no';
  /** `yes`: start() has resolved, so that how the run ends must be known. `maybe`: the last start was cut short. */
  ran: 'no' | 'maybe' | 'yes';
}

/** Keeps what is expected of each container over the lives of many services. */
export class Model {
  readonly containers = new Map<string, Expectation>();
  /** What failed that should not have. */
  readonly complaints: string[] = [];
  /** How often each operation ended, in whatever way, and how often it was begun. */
  readonly #done = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  readonly #before = new Map<string, Expectation['ran']>();

  /** Those that another service may work on. */
  known(): Record<string, Made> {
    const there = [...this.containers].filter(([, { exists }]) => exists === 'yes');
    return Object.fromEntries(there.map(([name, { made }]) => [name, made]));
  }

  /** How often it was begun and never ended. */
  cut(operation: Report['operation']): number {
    return (this.#begun.get(operation) ?? 0) - (this.#done.get(operation) ?? 0);
  }

  take(report: Report): void {
    this.#complain(report);
    const { operation, name, phase } = report;
    const count = phase === 'begun' ? this.#begun : this.#done;
    count.set(operation, (count.get(operation) ?? 0) + 1);
    if (operation === 'create') this.#created(report);
    const expected = this.containers.get(name);
    if (expected === undefined) return;
    if (operation === 'remove') expected.exists = phase === 'done' ? 'no' : 'maybe';
    if (operation === 'start') {
      // One that was refused has changed nothing.
      if (phase === 'begun') this.#before.set(name, expected.ran);
      expected.ran = phase === 'begun' ? 'maybe' : phase === 'done' ? 'yes' : (this.#before.get(name) ?? 'no');
    }
  }

  #created({ name, phase, made }: Report): void {
    if (made === undefined) throw new Error('a creation that does not say of what');
    if (phase === 'begun') this.containers.set(name, { made, exists: 'maybe', ran: 'no' });
    const expected = this.containers.get(name);
    if (expected !== undefined && phase !== 'begun') expected.exists = phase === 'done' ? 'yes' : 'no';
  }

  #complain({ operation, name, phase, error = '' }: Report): void {
    if (phase !== 'failed' || allowed[operation]?.some((code) => error.startsWith(`HAKO_ERR_${code}:`))) return;
    this.complaints.push(`${operation} ${name}: ${error}`);
  }
}

/** What an operation may find, of containers that end when they like. */
const allowed: Partial<Record<Report['operation'], readonly string[]>> = {
  start: ['CONTAINER_ALREADY_STARTED'],
  // One whose start was cut short has an end that nobody knows.
  stop: ['CONTAINER_NOT_RUNNING', 'SUPERVISOR_LOST'],
  exec: ['CONTAINER_NOT_RUNNING'],
  pause: ['CONTAINER_NOT_RUNNING'],
  update: ['CONTAINER_NOT_RUNNING'],
  // Whoever keeps it may just be starting it again.
  copy: ['CONTAINER_RUNNING'],
  commit: ['CONTAINER_RUNNING'],
  untag: ['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'],
};
