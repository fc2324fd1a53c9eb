import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Lease } from '../../src/content/lease.ts';
import { blobResource, snapshotResource } from '../../src/content/lease-repository.ts';
import type { ActiveKey } from '../../src/contracts/storage-driver.ts';
import type { ImageSource } from '../../src/image/import-source.ts';
import { initSnapshot, layerSnapshot } from '../../src/image/snapshot-names.ts';
import { type BuiltImage, blobOf, buildImage, layerOf, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { type ImageRuntime, leftovers, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';

const same = { kind: 'same' } as const;
const scratch = mkdtempSync(join(tmpdir(), 'hako-store-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let counter = 0;
const sourceOf = (image: BuiltImage, name?: string): ImageSource => ({
  kind: 'oci-layout',
  path: writeFiles(join(scratch, `${counter++}`), layoutOf(image, name)),
});
const layer = (text: string) => ({ tar: layerOf({ name: text, data: text }) });
const base = layer('base');
const one = buildImage({ layers: [base, layer('one')] });
const two = buildImage({ layers: [base, layer('two')] });

const blobs = (runtime: ImageRuntime): readonly string[] =>
  readdirSync(join(runtime.root, 'content/blobs/sha256'))
    .map((hex) => `sha256:${hex}`)
    .sort();
const digests = (...images: BuiltImage[]): readonly string[] =>
  [...new Set(images.flatMap((image) => image.blobs.map(({ digest }) => digest)))].sort();
const snapshots = async (runtime: ImageRuntime): Promise<readonly string[]> => {
  const names: string[] = [];
  for await (const { name } of runtime.storage.list()) names.push(name);
  return names.sort();
};

describeWith({ root: true }, 'the store of images', () => {
  it('finds an image by reference, ID and the beginning of an ID', async () => {
    await using runtime = await openImageRuntime();
    const { id } = await runtime.images.import(sourceOf(one), same, { reference: 'app:1' });
    for (const name of ['app:1', 'docker.io/library/app:1', id, id.slice(7), id.slice(7, 19), id.slice(0, 20)])
      expect((await runtime.images.get(name)).id, name).toBe(id);
    for (const name of ['app', 'other:1', `sha256:${'0'.repeat(64)}`, '0000'])
      await expect(runtime.images.get(name), name).rejects.toMatchObject({ code: 'HAKO_ERR_IMAGE_NOT_FOUND' });
    await expect(runtime.images.get('Not A Name')).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_REFERENCE' });
    expect((await runtime.images.list()).map((image) => image.references)).toEqual([['docker.io/library/app:1']]);
  });

  it('gives names, and moves them', async () => {
    await using runtime = await openImageRuntime();
    const [first, second] = [
      await runtime.images.import(sourceOf(one), same, { reference: 'app' }),
      await runtime.images.import(sourceOf(two), same),
    ];
    expect((await runtime.images.tag('app', 'copy:2')).references).toEqual([
      'docker.io/library/app:latest',
      'docker.io/library/copy:2',
    ]);
    await runtime.images.tag(second.id, 'app');
    expect((await runtime.images.get('app')).id).toBe(second.id);
    expect((await runtime.images.get(first.id)).references).toEqual(['docker.io/library/copy:2']);
    await expect(runtime.images.tag('nobody', 'x')).rejects.toMatchObject({ code: 'HAKO_ERR_IMAGE_NOT_FOUND' });
    await expect(runtime.images.tag('app', 'X Y')).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_REFERENCE' });
    await expect(runtime.images.tag('app', `x@sha256:${'a'.repeat(64)}`)).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_REFERENCE',
    });
  });

  it('removes the last name with the image, and what only it needed', async () => {
    await using runtime = await openImageRuntime();
    const { id } = await runtime.images.import(sourceOf(one), same, { reference: 'one' });
    await runtime.images.import(sourceOf(two), same, { reference: 'two' });
    await runtime.images.tag('one', 'alias');
    expect(await runtime.images.remove('alias')).toEqual({
      untagged: ['docker.io/library/alias:latest'],
      deleted: null,
    });
    expect(blobs(runtime)).toEqual(digests(one, two));
    expect(await runtime.images.remove('one')).toEqual({ untagged: ['docker.io/library/one:latest'], deleted: id });
    expect(blobs(runtime)).toEqual(digests(two));
    expect(await snapshots(runtime)).toEqual(
      (await runtime.images.get('two')).layers
        .flatMap(({ chainId }, index) => (index === 0 ? [chainId] : [chainId, `${chainId}-init`]))
        .sort(),
    );
    expect(runtime.events.at(-1)).toMatchObject(['image:remove', { id }]);
    await runtime.images.remove('two');
    await runtime.storage[Symbol.asyncDispose]();
    expect(leftovers(runtime.root)).toEqual([]);
  });

  it('keeps an image that a container needs', async () => {
    await using runtime = await openImageRuntime();
    const { id } = await runtime.images.import(sourceOf(one), same, { reference: 'app' });
    runtime.used.add(id);
    await expect(runtime.images.remove('app')).rejects.toMatchObject({ code: 'HAKO_ERR_IMAGE_IN_USE' });
    expect((await runtime.images.get('app')).references).toHaveLength(1);
    runtime.used.delete(id);
    await runtime.images.remove('app');
  });

  it('leaves a layer that something stands on, until nothing does', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(one), same, { reference: 'app' });
    const parent = initSnapshot(image.layers.at(-1)?.chainId ?? null, same);
    await runtime.storage.prepare('container' as ActiveKey, parent);
    await runtime.images.remove('app');
    expect(await snapshots(runtime)).toContain(parent);
    expect(runtime.leases.removals()).toEqual([]);
    await runtime.storage.remove('container' as ActiveKey);
    await runtime.collector.collect();
    expect(await snapshots(runtime)).toEqual([]);
  });

  it('collects nothing that a lease holds, whoever the process', async () => {
    await using runtime = await openImageRuntime();
    await using other = await openImageRuntime({ root: runtime.root });
    using lease = new Lease(other.leases, 'test', () => other.collector.collect());
    const { digest } = await other.store.ingest(chunks('held'), {}, lease);
    await runtime.collector.collect();
    expect(blobs(runtime)).toEqual([digest]);
    lease[Symbol.dispose]();
    await runtime.collector.collect();
    expect(blobs(runtime)).toEqual([]);
  });

  it('lets nobody lease what is being removed, and goes on with a removal that was cut short', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(one), same, { reference: 'app' });
    const top = layerSnapshot(image.layers.at(-1)?.chainId ?? ('' as never), same);
    // As a process that died between its decision and the removal leaves it.
    runtime.leases.insertRemoval(snapshotResource(initSnapshot(image.layers.at(-1)?.chainId ?? null, same)));
    runtime.leases.insertRemoval(snapshotResource(top));
    using lease = new Lease(runtime.leases, 'test', () => runtime.collector.collect());
    await lease.hold(snapshotResource(top));
    expect(runtime.leases.removals()).toEqual([]);
    expect(await snapshots(runtime)).not.toContain(top);
    // It is made anew when it is needed.
    expect(await runtime.images.withSnapshot(image, same, async (parent) => parent)).toBe(
      initSnapshot(image.layers.at(-1)?.chainId ?? null, same),
    );
    expect(await snapshots(runtime)).toContain(top);
  });

  it('takes several imports of one image at once, in two processes’ places: all succeed, with one set of snapshots', async () => {
    await using runtime = await openImageRuntime();
    await using other = await openImageRuntime({ root: runtime.root });
    const sources = Array.from({ length: 6 }, (_, index) => sourceOf(one, `app:${index}`));
    const images = await Promise.all(
      sources.map((source, index) => (index % 2 === 0 ? runtime : other).images.import(source, same)),
    );
    expect(new Set(images.map(({ id }) => id)).size).toBe(1);
    expect((await runtime.images.list()).map(({ references }) => references.length)).toEqual([6]);
    expect(await snapshots(runtime)).toHaveLength(3);
    expect(blobs(runtime)).toEqual(digests(one));
  });

  it('imports while another removes, over and over: what is there is whole', async () => {
    await using runtime = await openImageRuntime();
    await using other = await openImageRuntime({ root: runtime.root });
    for (let round = 0; round < 5; round++) {
      await runtime.images.import(sourceOf(one), same, { reference: 'old' });
      const [imported] = await Promise.all([
        other.images.import(sourceOf(two), same, { reference: 'new' }),
        runtime.images.remove('old'),
      ]);
      const parent = await other.images.withSnapshot(imported, same, async (name) => name);
      await other.storage.prepare(`round-${round}` as ActiveKey, parent);
      await other.storage.remove(`round-${round}` as ActiveKey);
      expect(blobs(runtime)).toEqual(digests(two));
      await other.images.remove('new');
      expect(blobs(runtime)).toEqual([]);
    }
  });

  it('holds what a container is being made of', async () => {
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import(sourceOf(one), same);
    const parent = initSnapshot(image.layers.at(-1)?.chainId ?? null, same);
    await runtime.images.withSnapshot(image, same, async (name) => {
      await runtime.images.remove(image.id);
      await runtime.collector.collect();
      await runtime.storage.prepare('container' as ActiveKey, name);
    });
    expect((await runtime.storage.stat(parent)).kind).toBe('committed');
    await runtime.storage.remove('container' as ActiveKey);
    await runtime.collector.collect();
    await expect(runtime.storage.stat(parent)).rejects.toMatchObject({ code: 'HAKO_ERR_SNAPSHOT_NOT_FOUND' });
  });

  it('reports an image whose config is damaged, and lists the others', async () => {
    await using runtime = await openImageRuntime();
    const broken = await runtime.images.import(sourceOf(one), same);
    await runtime.images.import(sourceOf(two), same);
    writeFileSync(join(runtime.root, 'content/blobs/sha256', broken.id.slice(7)), '{}');
    await using fresh = await openImageRuntime({ root: runtime.root });
    expect((await fresh.images.list()).map(({ id }) => id)).toEqual([two.config.digest]);
    expect(fresh.events).toMatchObject([['warning', { message: expect.stringContaining(broken.id) }]]);
    await expect(fresh.images.get(broken.id)).rejects.toMatchObject({ code: 'HAKO_ERR_BLOB_NOT_FOUND' });
    await fresh.images.import(sourceOf(one), same);
    expect(await fresh.images.list()).toHaveLength(2);
  });

  it('makes a damaged snapshot anew, and fetches a damaged blob anew', async () => {
    await using runtime = await openImageRuntime();
    const source = sourceOf(one);
    const image = await runtime.images.import(source, same);
    const top = initSnapshot(image.layers.at(-1)?.chainId ?? null, same);
    writeFileSync(join(runtime.root, 'overlay2', top.slice(7), 'snapshot.json'), '');
    await expect(runtime.storage.stat(top)).rejects.toMatchObject({ code: 'HAKO_ERR_STATE_CORRUPT' });
    await runtime.images.withSnapshot(image, same, async (parent) =>
      runtime.storage.prepare('container' as ActiveKey, parent),
    );
    await runtime.storage.remove('container' as ActiveKey);

    const damaged = image.layers[1]?.digest ?? '';
    const path = join(runtime.root, 'content/blobs/sha256', damaged.slice(7));
    writeFileSync(path, Buffer.alloc(image.layers[1]?.size ?? 0, 7));
    await runtime.storage.remove(top);
    await runtime.storage.remove(layerSnapshot(image.layers.at(-1)?.chainId ?? ('' as never), same));
    await expect(runtime.images.import(source, same)).rejects.toMatchObject({ code: 'HAKO_ERR_BLOB_DIGEST_MISMATCH' });
    await runtime.images.import(source, same);
    expect(blobOf(readFileSync(path)).digest).toBe(damaged);
  });
});

describeWith({ root: true }, 'the content store', () => {
  it('keeps content by its digest, once', async () => {
    await using runtime = await openImageRuntime();
    using lease = new Lease(runtime.leases, 'test', () => runtime.collector.collect());
    const { digest, size } = blobOf('content');
    expect(await runtime.store.ingest(chunks('con', 'tent'), {}, lease)).toEqual({ digest, size });
    expect(await runtime.store.size(digest as never)).toBe(size);
    let read = false;
    const unread = (async function* () {
      read = true;
      yield Buffer.from('other');
    })();
    expect(await runtime.store.ingest(unread, { digest: digest as never }, lease)).toEqual({ digest, size });
    expect(read).toBe(false);
    expect(Buffer.from(await runtime.store.readAll({ digest: digest as never, size }, 100)).toString()).toBe('content');
    expect(runtime.leases.leasedResources()).toEqual(new Set([blobResource(digest as never)]));
  });

  it.each([
    ['another digest', { digest: `sha256:${'0'.repeat(64)}` }, 'HAKO_ERR_BLOB_DIGEST_MISMATCH'],
    ['fewer bytes', { size: 6 }, 'HAKO_ERR_BLOB_DIGEST_MISMATCH'],
    ['more bytes', { size: 8 }, 'HAKO_ERR_BLOB_DIGEST_MISMATCH'],
    ['a limit', { limit: 6 }, 'HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED'],
  ])('takes nothing against the expectation of %s', async (_title, expected, code) => {
    await using runtime = await openImageRuntime();
    using lease = new Lease(runtime.leases, 'test', () => runtime.collector.collect());
    await expect(runtime.store.ingest(chunks('content'), expected as never, lease)).rejects.toMatchObject({ code });
    expect(leftovers(runtime.root)).toEqual([]);
  });

  it('leaves nothing when the source fails, or the signal says stop', async () => {
    await using runtime = await openImageRuntime();
    using lease = new Lease(runtime.leases, 'test', () => runtime.collector.collect());
    const failure = new Error('the network is gone');
    const failing = (async function* () {
      yield Buffer.from('x');
      throw failure;
    })();
    await expect(runtime.store.ingest(failing, {}, lease)).rejects.toBe(failure);
    const reason = new Error('enough');
    await expect(runtime.store.ingest(chunks('x'), {}, lease, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(leftovers(runtime.root)).toEqual([]);
  });

  it('says of a blob that it is damaged, at its end, and of one that is not there', async () => {
    await using runtime = await openImageRuntime();
    using lease = new Lease(runtime.leases, 'test', () => runtime.collector.collect());
    const blob = await runtime.store.ingest(chunks('content'), {}, lease);
    writeFileSync(join(runtime.root, 'content/blobs/sha256', blob.digest.slice(7)), 'c0ntent');
    const got: Uint8Array[] = [];
    await expect(
      (async () => {
        for await (const chunk of runtime.store.read(blob)) got.push(chunk);
      })(),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_BLOB_DIGEST_MISMATCH' });
    expect(Buffer.concat(got).toString()).toBe('c0ntent');
    await expect(
      runtime.store.readAll({ digest: `sha256:${'0'.repeat(64)}` as never, size: 1 }, 10),
    ).rejects.toMatchObject({ code: 'HAKO_ERR_BLOB_NOT_FOUND' });
  });
});

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
