import type { Mount } from '../../contracts/mount.ts';
import type { SnapshotChanges } from '../../contracts/storage-driver.ts';
import { ownDirectories } from './host-root-plan.ts';
import { readHostTree } from './host-tree.ts';

/** A part of a snapshot that can be written. */
export interface PlacedChanges {
  /** The directory of the container's root that it is; empty: the root itself. */
  readonly at: string;
  readonly changes: SnapshotChanges;
  /** Names in it that hako has made for mounts, and that are no change. */
  readonly notes: ReadonlySet<string>;
}

/** What a container on the host's root has changed, by the mounts that its plan has. */
export function hostRootChanges(mounts: readonly Mount[]): readonly PlacedChanges[] {
  return mounts.flatMap((mount): readonly PlacedChanges[] => {
    const at = mount.target ?? '';
    if (mount.type === 'overlay') return [{ at, changes: overlayChanges(mount), notes: new Set() }];
    if (mount.options.includes('ro')) return [];
    const changes = { own: [mount], marks: false, parent: [] };
    return [{ at, changes, notes: at === '' ? rootNames() : new Set() }];
  });
}

function overlayChanges({ options }: Mount): SnapshotChanges {
  const value = (key: string): string =>
    options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  const bind = (source: string): Mount => ({ type: 'bind', source, options: ['bind', 'ro'] });
  return { own: [bind(value('upperdir'))], marks: true, parent: [bind(value('lowerdir+'))] };
}

/** Where the root is a directory of the container's own, it has been given the host's names. */
function rootNames(): ReadonlySet<string> {
  return new Set([...Object.keys(ownDirectories), ...readHostTree().entries.map(({ name }) => name)]);
}
