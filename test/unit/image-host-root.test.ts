import { describe, expect, it } from 'vitest';
import { type HostTree, planHostRoot } from '../../src/image/host/host-root-plan.ts';
import { Image } from '../../src/image/image.ts';

const tree: HostTree = {
  entries: [
    { name: 'bin', kind: 'symlink', target: 'usr/bin' },
    ...['boot', 'dev', 'etc', 'home', 'proc', 'tmp', 'usr', 'var'].map((name) => ({
      name,
      kind: 'directory' as const,
    })),
  ],
  mountPoints: ['/proc', '/dev', '/dev/pts', '/boot/efi', '/home'],
};
const directory = '/hako/overlay2/key/diff';
const overlayOptions = ['index=off', 'metacopy=off', 'redirect_dir=nofollow'];

describe('the plan of a root that is the host’s', () => {
  it('is one overlay on "/" outside of user namespaces', () => {
    expect(
      planHostRoot({
        tree,
        directory,
        hidden: [
          { path: '/home', kind: 'directory', mode: 0o755 },
          { path: '/etc/shadow', kind: 'file', mode: 0o640 },
        ],
        inUserNamespace: false,
        overlay: true,
      }),
    ).toEqual({
      directories: [
        { path: 'upper', mode: 0o755 },
        { path: 'work', mode: 0o700 },
        { path: 'hidden', mode: 0o700 },
        { path: 'hidden/0', mode: 0o755 },
      ],
      files: [{ path: 'hidden/file', mode: 0o400 }],
      symlinks: [],
      mounts: [
        {
          type: 'overlay',
          source: 'overlay',
          options: ['lowerdir+=/', `upperdir=${directory}/upper`, `workdir=${directory}/work`, ...overlayOptions],
        },
        { type: 'bind', source: `${directory}/hidden/0`, target: 'home', options: ['rbind', 'rw'] },
        { type: 'bind', source: `${directory}/hidden/file`, target: 'etc/shadow', options: ['rbind', 'ro'] },
      ],
    });
  });

  it('is an overlay for each directory inside one; what has mounts below is bound read-only', () => {
    const plan = planHostRoot({
      tree,
      directory,
      hidden: [
        { path: '/home', kind: 'directory', mode: 0o711 },
        { path: '/var/lib/hako', kind: 'directory', mode: 0o700 },
      ],
      inUserNamespace: true,
      overlay: true,
    });
    const overlay = (name: string) => ({
      type: 'overlay',
      source: 'overlay',
      target: name,
      options: [
        `lowerdir+=/${name}`,
        `upperdir=${directory}/upper/${name}`,
        `workdir=${directory}/work/${name}`,
        'userxattr',
        ...overlayOptions,
      ],
    });
    expect(plan.mounts).toEqual([
      { type: 'bind', source: `${directory}/root`, options: ['rbind', 'rw'] },
      { type: 'bind', source: '/boot', target: 'boot', options: ['rbind', 'ro'] },
      overlay('etc'),
      overlay('usr'),
      overlay('var'),
      { type: 'bind', source: `${directory}/hidden/0`, target: 'var/lib/hako', options: ['rbind', 'rw'] },
    ]);
    expect(plan.symlinks).toEqual([{ path: 'root/bin', target: 'usr/bin' }]);
    expect(plan.directories).toContainEqual({ path: 'root/home', mode: 0o711 });
    expect(plan.directories).toContainEqual({ path: 'root/tmp', mode: 0o1777 });
    expect(plan.directories.map(({ path }) => path).sort()).toEqual(
      [...new Set(plan.directories.map(({ path }) => path))].sort(),
    );
  });
});

describe('where overlayfs cannot be had', () => {
  it.each([true, false])('is bound, read-only (in a user namespace: %s)', (inUserNamespace) => {
    const { mounts } = planHostRoot({ tree, directory, hidden: [], inUserNamespace, overlay: false });
    expect(mounts[0]).toEqual({ type: 'bind', source: `${directory}/root`, options: ['rbind', 'rw'] });
    expect(mounts.slice(1).map(({ type, target, options }) => [type, target, options])).toEqual(
      ['boot', 'etc', 'home', 'usr', 'var'].map((name) => ['bind', name, ['rbind', 'ro']]),
    );
  });
});

describe('an image of the host', () => {
  it('has an identity of its options, and nothing of the store', () => {
    expect(Image.fromHost().id).toBe(Image.fromHost({}).id);
    expect(Image.fromHost({ hide: [] }).id).not.toBe(Image.fromHost().id);
    expect(Image.fromHost()).toMatchObject({ references: [], layers: [], size: 0, createdAt: null });
    expect(Image.fromHost().config.defaults.env).toEqual([expect.stringMatching(/^PATH=/)]);
  });
});
