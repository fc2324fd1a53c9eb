import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerId } from '../base/ids.ts';
import { Spares } from '../base/spares.ts';
import { Trash } from '../base/trash.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import { isMakerAlive, makerPrefix } from '../host/process-identity.ts';
import { etcFileNames } from './spec/index.ts';

export interface ContainerDirectoriesParts {
  /** Where they are. */
  readonly containers: string;
  readonly spare: string;
  readonly trash: string;
  readonly native: Pick<NativeBinding, 'removeTree' | 'spreadDirectories'>;
  warn(message: string, cause: unknown): void;
}

/** The directories that hold what hako itself writes for a container: its log, its exit record, its files of /etc. */
export class ContainerDirectories implements AsyncDisposable {
  readonly #containers: string;
  readonly #trash: Trash;
  readonly #spares: Spares;

  private constructor(parts: ContainerDirectoriesParts) {
    this.#containers = parts.containers;
    this.#trash = new Trash(parts.trash, (path) => parts.native.removeTree(path), parts.warn);
    this.#spares = new Spares({
      directory: parts.spare,
      make,
      staging: () => this.#trash.newPath(makerPrefix()),
      trash: this.#trash,
      warn: (error) => parts.warn('Directories for further containers could not be made ahead.', error),
    });
  }

  static open(parts: ContainerDirectoriesParts): ContainerDirectories {
    const directories = new ContainerDirectories(parts);
    directories.#trash.open(undefined, (name) => !isMakerAlive(name));
    directories.#spares.open();
    for (const parent of [parts.containers, parts.trash]) parts.native.spreadDirectories(parent);
    return directories;
  }

  make(id: ContainerId): void {
    this.#spares.take(join(this.#containers, id));
  }

  /** Its files are removed soon. One that is not there is fine. */
  discard(id: ContainerId): void {
    this.#trash.take(join(this.#containers, id));
    this.#spares.refill();
  }

  /** As {@link discard}; resolves when there is room for others where its files have been. */
  async remove(id: ContainerId): Promise<void> {
    await this.#trash.remove(join(this.#containers, id));
    this.#spares.refill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#spares[Symbol.dispose]();
    await this.#trash[Symbol.asyncDispose]();
  }
}

/** Each start writes the files anew. */
function make(target: string): void {
  mkdirSync(target, { mode: 0o700 });
  for (const name of etcFileNames) writeFileSync(join(target, name), '', { mode: 0o644 });
}
