import { existsSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../base/errno.ts';

const prefix = 'children.';

/**
 * How a committed snapshot knows its children, without a lock: each child leaves a marker in the parent's
 * `children.<id>` directory before it comes into being. The kernel arbitrates: rmdir(2) of that directory succeeds
 * only when there is no marker, and once it is gone no marker can be made. So a parent is never removed under a
 * child that another process is just making, nor a child made on a parent that is being removed.
 *
 * A marker is a symbolic link (one system call) from the child's id to its directory's name.
 */
export class ChildMarkers {
  readonly #directory: string;

  constructor(parentDirectory: string, parentId: string) {
    this.#directory = join(parentDirectory, `${prefix}${parentId}`);
  }

  /** For a snapshot whose record is lost. */
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
  add(childId: string, childName: string, form: 'key' | 'committed'): boolean {
    try {
      symlinkSync(childName, join(this.#directory, markerName(childId, form)));
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      if (hasErrno(error, 'EEXIST')) return true;
      throw error;
    }
  }

  drop(childId: string, form: 'key' | 'committed'): void {
    try {
      unlinkSync(join(this.#directory, markerName(childId, form)));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }

  /**
   * Forbids children from now on.
   *
   * @param isAlive - whether a child with this id lives under one of these names; asked only when there are markers.
   * Markers of children that a killed process never finished are cleared.
   * @returns false when there is a child
   */
  forbid(isAlive: (childId: string, names: readonly string[]) => boolean): boolean {
    for (;;) {
      try {
        rmdirSync(this.#directory);
        return true;
      } catch (error) {
        if (hasErrno(error, 'ENOENT')) return true;
        if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      }
      for (const [childId, names] of this.#read()) {
        if (isAlive(childId, names)) return false;
        this.drop(childId, 'key');
        this.drop(childId, 'committed');
      }
    }
  }

  #read(): Map<string, string[]> {
    const children = new Map<string, string[]>();
    // Sorted: a child's key comes before the name that it is committed as, which is the order in which it moves.
    for (const marker of this.#list().sort()) {
      const childId = marker.slice(0, 24);
      const name = this.#target(marker);
      if (name !== null) children.set(childId, [...(children.get(childId) ?? []), name]);
    }
    return children;
  }

  #list(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #target(marker: string): string | null {
    try {
      return readlinkSync(join(this.#directory, marker));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return null;
      throw error;
    }
  }
}

function markerName(childId: string, form: 'key' | 'committed'): string {
  return form === 'key' ? childId : `${childId}.committed`;
}
