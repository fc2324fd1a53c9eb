/** Catalogue 1A and 1D: what a container, or a caller's user, may call things, and what may be found by such a name. */
import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as naive from '../native/support/naive-runtime.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { Canary } from '../support/canary.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'GHSA-x7pf: ids that are paths', () => {
  const idsOf = (canary: Canary): readonly string[] => [
    '../../canary',
    '../canary',
    'a/../../../canary',
    '..',
    '.',
    '/',
    '',
    canary.path,
    `${'a'.repeat(64)}/../../../canary`,
    `${'../'.repeat(20)}${canary.path}`,
    '..\\..\\canary',
    '%2e%2e%2f%2e%2e%2fcanary',
    '../../canary\0',
    'x'.repeat(5000),
    '*',
    "' OR 1=1 --",
  ];

  test('nothing is found, made or removed by them', async () => {
    await using opened = await openRuntime();
    const { runtime, root } = opened;
    const { containers, images } = runtime;
    const canary = new Canary(join(root, '../canary'));
    const kept = await containers.create({ image, name: 'kept', command: ['true'] });
    const own = () => readdirSync(join(root, 'containers'));
    const before = own();
    const refused = { code: expect.stringMatching(/^HAKO_ERR_(CONTAINER_NOT_FOUND|IMAGE_NOT_FOUND|INVALID_)/) };
    for (const id of idsOf(canary)) {
      const attempts: readonly (() => Promise<unknown>)[] = [
        () => containers.get(id),
        () => containers.get(id).then((container) => container.remove({ force: true })),
        () => containers.create({ image, name: id || ' ', command: ['true'] }),
        () => containers.create({ image: id, command: ['true'] }),
        () => containers.create({ image, command: ['true'], namespaces: { pid: `container:${id}` } }),
        () => images.get(id),
        () => images.remove(id),
        () => images.tag(image, id),
      ];
      for (const [index, attempt] of attempts.entries())
        await expect(attempt(), `${index}: ${id}`).rejects.toMatchObject(refused);
    }
    expect(canary.damage).toBeUndefined();
    expect(own()).toEqual(before);
    expect((await containers.list()).map(({ name }) => name)).toEqual(['kept']);
    await kept.remove();
    expect(own()).toEqual([]);
  });

  test('the positive control: an id that is joined to a path deletes what is outside', async () => {
    await using opened = await openRuntime();
    const canary = new Canary(join(opened.root, '../canary'));
    for (const id of idsOf(canary).slice(0, 1)) rmSync(join(opened.root, 'containers', id), { recursive: true });
    expect(canary.damage).toContain('. is gone');
  });
});

describeWith(
  { root: true, tools: ['busybox'] },
  'CVE-2015-3629: a container that is started again in a root of its own making',
  () => {
    /** What holds a mount cannot be removed, but moved: the next start finds a link on its way. */
    const swap = (canary: string): string =>
      `[ -e /once ] && { cat ${canary}/etc/passwd && exit 7; exit 0; }
     : > /once
     for name in data srv; do busybox mv /$name /was-$name && ln -s ${canary}/etc /$name || exit 9; done`;

    test('what it left in place of the targets of mounts leads nowhere', async () => {
      await using opened = await openRuntime();
      const canary = new Canary(join(opened.root, '../canary'));
      const container = await opened.runtime.containers.create({
        image,
        command: ['sh', '-c', swap(canary.path)],
        mounts: [
          { type: 'tmpfs', target: '/data/cache' },
          { type: 'bind', source: '/etc/hostname', target: '/srv/deep/file' },
        ],
      });
      await container.start();
      expect(await container.wait()).toMatchObject({ exitCode: 0 });
      await container.start();
      expect(await container.wait()).toMatchObject({ exitCode: 0 });
      expect(canary.damage).toBeUndefined();
    });

    test('the positive control: targets that are made by path are made outside', () => {
      using rootfs = new Rootfs();
      using host = new Rootfs();
      const canary = new Canary(host.at('canary'));
      symlinkSync(join(canary.path, 'etc'), rootfs.at('data'));
      naive.makeDirectory(rootfs, 'data/cache');
      expect(canary.damage).toContain('cache');
      expect(naive.mountPoint(rootfs, 'data/cache')).toBe(join(canary.path, 'etc/cache'));
    });
  },
);
