import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../base/errno.ts';
import { randomHex } from '../base/random.ts';
import { isMakerAlive, makerPrefix, type ProcessIdentity } from '../host/process-identity.ts';

/** `hold`: somebody wants the container frozen; `thaw`: somebody is just thawing it. */
type Kind = 'hold' | 'thaw';

/** A caller's pause: it holds as long as the run does, whoever has paused it. */
const pauseKind = 'pause.hold';

/**
 * Who wants a container frozen, as empty files in its state directory: processes agree by them without a lock, they need
 * no room on a disk that is full, and each counts only while the process lives that its name tells of. A pause is
 * marked with its run's supervisor, anything else with whoever has made it.
 */
export class HoldMarks {
  readonly #directory: string;
  readonly #pause: string;

  constructor(directory: string, supervisor: Pick<ProcessIdentity, 'pid' | 'startTicks'>) {
    this.#directory = directory;
    this.#pause = `${supervisor.pid}.${supervisor.startTicks}.${pauseKind}`;
  }

  /** @returns its name */
  add(kind: Kind): string {
    const name = `${makerPrefix()}${randomHex(8)}.${kind}`;
    writeFileSync(join(this.#directory, name), '', { flag: 'wx' });
    return name;
  }

  remove(name: string): void {
    rmSync(join(this.#directory, name), { force: true });
  }

  /** Makes a hold into a thawing, at once. @returns its new name */
  turn(hold: string): string {
    const name = `${makerPrefix()}${randomHex(8)}.thaw`;
    try {
      renameSync(join(this.#directory, hold), join(this.#directory, name));
    } catch (error) {
      // The container was removed.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    return name;
  }

  addPause(): void {
    // One of an earlier run, which ended while it was paused.
    for (const name of this.#names()) if (name.endsWith(`.${pauseKind}`) && name !== this.#pause) this.remove(name);
    writeFileSync(join(this.#directory, this.#pause), '');
  }

  removePause(): void {
    this.remove(this.#pause);
  }

  hasPause(): boolean {
    return this.#names().includes(this.#pause);
  }

  /** Whether anybody but `own` is at it. */
  others(kind: Kind, own?: string): boolean {
    return this.#names().some((name) => name.endsWith(`.${kind}`) && name !== own && isMakerAlive(name));
  }

  /** Those of processes that are no more; an earlier run's pause is nothing to anybody. */
  dead(): readonly string[] {
    return this.#names().filter(
      (name) => /\.(?:hold|thaw)$/.test(name) && !name.endsWith(`.${pauseKind}`) && !isMakerAlive(name),
    );
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }
}
