import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';

const prefix = 'children.';

/**
 * How a committed snapshot knows its children, without a lock: each child leaves a marker in the parent's
 * `children.<id>` directory before it comes into being. The kernel arbitrates: rmdir(2) of that directory succeeds
 * only when there is no marker, and once it is gone no marker can be made. So a parent is never removed under a
 * child that another process is just making, nor a child made on a parent that is being removed.
 *
 * A marker is a hard link to the child's record. When the record has no other link, the child is gone: a killed
 * process left the marker behind.
 */
export class ChildMarkers {
  readonly #directory: string;

  constructor(parentDirectory: string, parentId: string) {
    this.#directory = join(parentDirectory, `${prefix}${parentId}`);
  }

  /** For a snapshot whose own record is lost. */
  static find(parentDirectory: string): ChildMarkers | null {
    const found = readdirSync(parentDirectory).find((name) => name.startsWith(prefix));
    return found === undefined ? null : new ChildMarkers(parentDirectory, found.slice(prefix.length));
  }

  /** Makes the snapshot able to have children. */
  allow(): void {
    try {
      mkdirSync(this.#directory, 0o700);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
  }

  /** Whether the snapshot can have children: it is whole, and its removal has not begun. */
  allowed(): boolean {
    return existsSync(this.#directory);
  }

  /** @returns false when the parent is gone or being removed */
  add(childId: string, record: string): boolean {
    try {
      linkSync(record, join(this.#directory, childId));
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Marks by the record that a child is about to have, before the old one's marker becomes worthless. */
  renew(childId: string, record: string): void {
    const marker = join(this.#directory, `${childId}.renewed`);
    this.#unlink(`${marker}.new`);
    linkSync(record, `${marker}.new`);
    renameSync(`${marker}.new`, marker);
  }

  drop(childId: string): void {
    for (const marker of [childId, `${childId}.renewed`]) this.#unlink(join(this.#directory, marker));
  }

  /**
   * Forbids children from now on.
   *
   * @returns false when there is a child
   */
  forbid(): boolean {
    for (;;) {
      try {
        rmdirSync(this.#directory);
        return true;
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) return true;
        if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      }
      if (!this.#clearStale()) return false;
    }
  }

  /** @returns false when a marker is of a living child */
  #clearStale(): boolean {
    for (const marker of this.#list()) {
      const path = join(this.#directory, marker);
      const status = statSync(path, { throwIfNoEntry: false });
      if (status === undefined) continue;
      if (status.nlink > 1) return false;
      this.#unlink(path);
    }
    return true;
  }

  #list(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #unlink(path: string): void {
    try {
      unlinkSync(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}
