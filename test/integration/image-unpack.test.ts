import { lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { FileOwnership } from '../../src/contracts/privilege-mode.ts';
import type { ActiveKey } from '../../src/contracts/storage-driver.ts';
import type { Image } from '../../src/image/image.ts';
import { initSnapshot, layerSnapshot } from '../../src/image/snapshot-names.ts';
import { runMounted } from '../../src/plugin-conformance.ts';
import { buildImage, layerOf, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { type ImageRuntime, leftovers, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';

const same: FileOwnership = { kind: 'same' };
const mapping = (hostId: number, size: number) => [{ containerId: 0, hostId, size }];
const mapped: FileOwnership = {
  kind: 'mapped',
  idMappings: {
    uid: mapping(100_000, 65_536),
    gid: mapping(200_000, 65_536),
    method: { kind: 'direct', denySetgroups: false },
  },
};
const single: FileOwnership = {
  kind: 'single',
  idMappings: { uid: mapping(4242, 1), gid: mapping(4242, 1), method: { kind: 'direct', denySetgroups: true } },
};

const scratch = mkdtempSync(join(tmpdir(), 'hako-unpack-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let counter = 0;
const sourceOf = (...layers: Buffer[]) =>
  ({
    kind: 'oci-layout',
    path: writeFiles(
      join(scratch, `${counter++}`),
      layoutOf(buildImage({ layers: layers.map((tar) => ({ tar, compression: 'gzip' as const })) })),
    ),
  }) as const;

const owned = layerOf(
  { type: '5', name: './', mode: 0o755, uid: 0, gid: 0 },
  { name: 'root-file', data: 'r', uid: 0, gid: 0, mode: 0o640 },
  { name: 'app-file', data: 'a', uid: 1000, gid: 50, mode: 0o4755 },
  { type: '3', name: 'null', major: 1, minor: 3, mode: 0o666 },
);

async function topOf(runtime: ImageRuntime, image: Image, ownership: FileOwnership): Promise<string> {
  const key = `look-${counter++}` as ActiveKey;
  await runtime.storage.prepare(key, layerSnapshot(image.layers.at(-1)?.chainId ?? ('' as never), ownership));
  const { LowerDir = '' } = await runtime.storage.describe(key);
  return LowerDir.split(':')[0] ?? '';
}

describeWith({ root: true }, 'unpacking', () => {
  it.each(['overlay2', 'vfs'] as const)(
    'hides all that is below a layer that says so at its root, on %s',
    async (storage) => {
      const below = layerOf({ name: 'old', data: 'o' }, { name: 'old-directory/file', data: 'o' });
      const above = layerOf({ name: '.wh..wh..opq', data: '' }, { name: 'new', data: 'n' });
      await using runtime = await openImageRuntime({ storage });
      const image = await runtime.images.import(sourceOf(below, above), same);
      const key = `look-${counter++}` as ActiveKey;
      await runtime.storage.prepare(key, layerSnapshot(image.layers.at(-1)?.chainId ?? ('' as never), same));
      expect(runMounted(await runtime.storage.mounts(key), 'ls').trim()).toBe('new');
    },
  );

  it.each([
    ['as the layer says', same, [0, 0], [1000, 50]],
    ['shifted by a map', mapped, [100_000, 200_000], [101_000, 200_050]],
    ['all to one user', single, [4242, 4242], [4242, 4242]],
  ] as const)('gives files their owners: %s', async (_title, ownership, root, app) => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(owned), ownership);
    const directory = await topOf(runtime, image, ownership);
    const ids = (name: string) => [lstatSync(join(directory, name)).uid, lstatSync(join(directory, name)).gid];
    expect(ids('root-file')).toEqual(root);
    expect(ids('app-file')).toEqual(app);
    expect(ids('.')).toEqual(root);
    // A device cannot be made in a user namespace; /dev is the engine's in any case.
    expect(lstatSync(join(directory, 'null'), { throwIfNoEntry: false }) !== undefined).toBe(ownership.kind === 'same');
  });

  it('keeps snapshots of different owners apart, and removes them together', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(owned), same);
    const others = await runtime.images.withSnapshot(image, mapped, async (parent) => parent);
    expect(others).not.toBe(initSnapshot(image.layers[0]?.chainId ?? null, same));
    await runtime.images.remove(image.id);
    await runtime.storage[Symbol.asyncDispose]();
    expect(leftovers(runtime.root)).toEqual([]);
  });

  it('makes the init layer: what is mounted over, unless the image has it', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(
      sourceOf(
        layerOf(
          { name: 'etc/hosts', data: 'the image’s own\n' },
          { type: '2', name: 'etc/mtab', link: '../proc/self/mounts' },
          { type: '5', name: 'sys/', mode: 0o555 },
        ),
      ),
      same,
    );
    const init = initSnapshot(image.layers[0]?.chainId ?? null, same);
    const mounts = await runtime.storage.prepare('container' as ActiveKey, init);
    expect(runMounted(mounts, 'find . -mindepth 1 -printf "%P %y %l\\n" | sort; cat etc/hosts; stat -c %a sys')).toBe(
      `${['dev d ', 'dev/console f ', 'dev/pts d ', 'dev/shm d ', 'etc d ', 'etc/hostname f ', 'etc/hosts f ', 'etc/mtab l ../proc/self/mounts', 'etc/resolv.conf f ', 'proc d ', 'sys d '].join('\n')}\nthe image’s own\n555\n`,
    );
    const { LowerDir, UpperDir } = await runtime.storage.describe('container' as ActiveKey);
    expect(LowerDir).toMatch(/-init\/diff:/);
    // The container's own changes are its own only.
    expect(runMounted([{ type: 'bind', source: UpperDir ?? '', options: ['rbind'] }], 'find . -mindepth 1')).toBe('');
  });

  it('makes mount points through the links of an image, inside of it', async () => {
    await using runtime = await openImageRuntime();
    const outside = join(scratch, 'outside');
    const image = await runtime.images
      .import(
        sourceOf(
          layerOf({ type: '2', name: 'etc', link: outside }, { type: '2', name: 'dev', link: '../../../../../../tmp' }),
        ),
        same,
      )
      .catch((error: unknown) => error);
    // Either it is made inside of the image, or the image is refused; the host has nothing of it.
    expect(lstatSync(outside, { throwIfNoEntry: false })).toBeUndefined();
    if (!(image instanceof Error)) {
      const parent = initSnapshot((image as Image).layers[0]?.chainId ?? null, same);
      expect(
        runMounted(
          await runtime.storage.prepare('container' as ActiveKey, parent),
          `test -L etc && test -e .${outside}/hosts && echo inside`,
        ),
      ).toBe('inside\n');
    }
  });

  it('makes an image of no layers', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(), same, { reference: 'scratch' });
    const mounts = await runtime.storage.prepare('container' as ActiveKey, initSnapshot(null, same));
    expect(runMounted(mounts, 'ls')).toBe('dev\netc\nproc\nsys\n');
    await runtime.storage.remove('container' as ActiveKey);
    await runtime.collector.collect();
    expect((await runtime.storage.stat(initSnapshot(null, same))).kind).toBe('committed');
    await runtime.images.remove(image.id);
    await expect(runtime.storage.stat(initSnapshot(null, same))).rejects.toMatchObject({
      code: 'HAKO_ERR_SNAPSHOT_NOT_FOUND',
    });
  });

  describe('within limits', () => {
    const many = layerOf(...Array.from({ length: 200 }, (_, index) => ({ name: `f${index}`, data: 'x' })));
    it.each([
      ['entries', { entries: 199 }],
      ['bytes of the archive', { archiveBytes: 100_000 }],
      ['bytes of a file', { fileBytes: 0 }],
      ['growth', { ratio: 2, ratioFrom: 0 }],
    ])('of %s: over one, nothing is left', async (_title, limits) => {
      await using runtime = await openImageRuntime();
      await expect(runtime.images.import(sourceOf(many), same, { limits })).rejects.toMatchObject({
        code: 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED',
      });
      await runtime.storage[Symbol.asyncDispose]();
      expect(leftovers(runtime.root)).toEqual([]);
      await using other = await openImageRuntime();
      await other.images.import(sourceOf(many), same); // positive control
    });
  });

  it('uses layers that are there, and unpacks them no second time', async () => {
    await using runtime = await openImageRuntime();
    const first = await runtime.images.import(sourceOf(owned), same);
    const directory = await topOf(runtime, first, same);
    const inode = lstatSync(join(directory, 'app-file')).ino;
    const second = await runtime.images.import(sourceOf(owned, layerOf({ name: 'more', data: 'm' })), same);
    expect(second.layers[0]?.chainId).toBe(first.layers[0]?.chainId);
    expect(lstatSync(join(directory, 'app-file')).ino).toBe(inode);
    expect(readFileSync(join(await topOf(runtime, second, same), 'more'), 'utf8')).toBe('m');
  });
});
