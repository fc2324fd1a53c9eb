import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ActiveKey } from '../../src/contracts/storage-driver.ts';
import type { Image } from '../../src/image/image.ts';
import { initSnapshot } from '../../src/image/snapshot-names.ts';
import { runMounted } from '../../src/plugin-conformance.ts';
import {
  buildImage,
  type Compression,
  compress,
  dockerArchiveFiles,
  hostArchitecture,
  indexOf,
  indexType,
  layerOf,
  layoutFiles,
  layoutOf,
  tarOf,
  writeFiles,
} from '../support/image-fixtures.ts';
import { type ImageRuntime, leftovers, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';

const same = { kind: 'same' } as const;
const scratch = mkdtempSync(join(tmpdir(), 'hako-import-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let counter = 0;
const place = (): string => join(scratch, `${counter++}`);
const file = (content: Buffer): string => {
  const path = place();
  writeFileSync(path, content);
  return path;
};

const base = layerOf(
  { type: '5', name: 'etc/', mode: 0o755 },
  { name: 'etc/os-release', data: 'ID=fixture\n' },
  { name: 'gone', data: 'x' },
);
const top = layerOf({ name: '.wh.gone' }, { name: 'etc/motd', data: 'hello\n' });
const twoLayers = (compression: Compression = 'none') =>
  buildImage({
    layers: [
      { tar: base, compression },
      { tar: top, compression },
    ],
    config: { Env: ['PATH=/bin', 'FOO', '*', '=x'], Cmd: ['/bin/true'], Labels: { a: 'b' } },
  });

/** What a container of the image would see. */
async function look(runtime: ImageRuntime, image: Image, script = 'cat etc/os-release etc/motd; ls'): Promise<string> {
  const key = `look-${counter++}` as ActiveKey;
  const mounts = await runtime.storage.prepare(key, initSnapshot(image.layers.at(-1)?.chainId ?? null, same));
  const text = runMounted(mounts, script);
  await runtime.storage.remove(key);
  return text;
}

const seen = 'ID=fixture\nhello\ndev\netc\nproc\nsys\n';

describeWith({ root: true }, 'import', () => {
  describe.each(['overlay2', 'vfs'] as const)('with %s', (storage) => {
    it.each(['none', 'gzip', 'zstd'] as const)(
      'takes an OCI layout with layers of compression %s',
      async (compression) => {
        await using runtime = await openImageRuntime({ storage });
        const built = twoLayers(compression);
        const image = await runtime.images.import(
          { kind: 'oci-layout', path: writeFiles(place(), layoutOf(built, 'example.org/app:1')) },
          same,
        );
        expect(image.id).toBe(built.config.digest);
        expect(image.references).toEqual(['example.org/app:1']);
        expect(image.layers.map(({ diffId }) => diffId)).toEqual(built.diffIds);
        expect(image.size).toBe(built.blobs.reduce((sum, { size }) => sum + size, 0));
        expect(image.config.defaults.env).toEqual(['PATH=/bin']);
        expect(image.config.ignored.map(({ value }) => value)).toEqual(['FOO', '*', '=x']);
        expect(await look(runtime, image)).toBe(seen);
      },
    );

    it('takes a root filesystem as a directory', async () => {
      await using runtime = await openImageRuntime({ storage });
      const directory = writeFiles(place(), {
        'etc/os-release': Buffer.from('ID=fixture\n'),
        'etc/motd': Buffer.from('hello\n'),
      });
      const image = await runtime.images.import(
        { kind: 'rootfs', rootfs: directory, config: { cmd: ['/bin/sh'], env: ['A=b'] } },
        same,
        { reference: 'mine' },
      );
      expect(image.references).toEqual(['docker.io/library/mine:latest']);
      expect(image.config.defaults).toMatchObject({ cmd: ['/bin/sh'], env: ['A=b'] });
      expect(await look(runtime, image)).toBe(seen);
    });
  });

  it.each(['none', 'gzip', 'zstd'] as const)(
    'takes an archive of a layout, compression %s, by path and as a stream',
    async (compression) => {
      await using runtime = await openImageRuntime();
      const path = file(compress(tarOf(layoutOf(twoLayers('gzip'))), compression));
      const byPath = await runtime.images.import({ kind: 'archive', archive: path }, same);
      const byStream = await runtime.images.import({ kind: 'archive', archive: createReadStream(path) }, same);
      expect(byStream.id).toBe(byPath.id);
      expect(await look(runtime, byPath)).toBe(seen);
    },
  );

  it.each(['none', 'gzip'] as const)(
    "takes an archive of Docker's older form, layers of compression %s",
    async (compression) => {
      await using runtime = await openImageRuntime();
      const built = twoLayers(compression);
      const image = await runtime.images.import(
        { kind: 'archive', archive: file(tarOf(dockerArchiveFiles(built, ['app:1', 'ghcr.io/a/b:2']))) },
        same,
      );
      expect(image.id).toBe(built.config.digest);
      expect(image.references).toEqual(['docker.io/library/app:1', 'ghcr.io/a/b:2']);
      expect(await look(runtime, image)).toBe(seen);
    },
  );

  it('takes an archive of the newer form, which has both', async () => {
    await using runtime = await openImageRuntime();
    const built = twoLayers();
    const files = {
      ...dockerArchiveFiles(built, ['app:1']),
      ...layoutFiles(
        [
          {
            blob: built.manifest,
            annotations: {
              'io.containerd.image.name': 'docker.io/library/app:1',
              'org.opencontainers.image.ref.name': '1',
            },
          },
        ],
        built.blobs,
      ),
    };
    const image = await runtime.images.import({ kind: 'archive', archive: file(tarOf(files)) }, same);
    expect(image.references).toEqual(['docker.io/library/app:1']);
  });

  it.each(['none', 'gzip', 'zstd'] as const)(
    'takes a root filesystem as a tar, compression %s',
    async (compression) => {
      await using runtime = await openImageRuntime();
      const image = await runtime.images.import(
        {
          kind: 'rootfs',
          rootfs: file(
            compress(
              layerOf({ name: 'etc/os-release', data: 'ID=fixture\n' }, { name: 'etc/motd', data: 'hello\n' }),
              compression,
            ),
          ),
        },
        same,
      );
      expect(image.references).toEqual([]);
      expect(await look(runtime, image)).toBe(seen);
    },
  );

  it('chooses by platform among nested indexes, and passes over attestations and what a save left out', async () => {
    await using runtime = await openImageRuntime();
    const mine = twoLayers();
    const other = buildImage({ layers: [{ tar: base }], architecture: 's390x' });
    const absent = buildImage({ layers: [{ tar: top }], architecture: 'riscv64' });
    const inner = indexOf([
      { blob: absent.manifest, platform: { os: 'linux', architecture: 'riscv64' } },
      { blob: other.manifest, platform: { os: 'linux', architecture: 's390x' } },
      {
        blob: other.manifest,
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
      { blob: mine.manifest, platform: { os: 'linux', architecture: hostArchitecture } },
    ]);
    const outer = indexOf([{ blob: inner, mediaType: indexType }]);
    const files = layoutFiles(
      [{ blob: outer, mediaType: indexType, annotations: { 'org.opencontainers.image.ref.name': 'app:multi' } }],
      [...mine.blobs, ...other.blobs, inner, outer],
    );
    const image = await runtime.images.import({ kind: 'oci-layout', path: writeFiles(place(), files) }, same);
    expect(image.id).toBe(mine.config.digest);
    expect(image.references).toEqual(['docker.io/library/app:multi']);
  });

  it('says what there is when nothing suits this machine', async () => {
    await using runtime = await openImageRuntime();
    const other = buildImage({ layers: [], architecture: 's390x' });
    await expect(
      runtime.images.import({ kind: 'oci-layout', path: writeFiles(place(), layoutOf(other)) }, same),
    ).rejects.toThrow(/linux\/s390x only/);
  });

  it('takes one of several, or all', async () => {
    await using runtime = await openImageRuntime();
    const [one, two] = [buildImage({ layers: [{ tar: base }] }), buildImage({ layers: [{ tar: top }] })];
    const named = (blob: typeof one.manifest, name: string) => ({
      blob,
      annotations: { 'org.opencontainers.image.ref.name': name },
    });
    const source = {
      kind: 'oci-layout',
      path: writeFiles(
        place(),
        layoutFiles([named(one.manifest, 'one:1'), named(two.manifest, 'two:1')], [...one.blobs, ...two.blobs]),
      ),
    } as const;
    await expect(runtime.images.import(source, same)).rejects.toThrow(/one:1, two:1.*select/s);
    expect((await runtime.images.import(source, same, { select: 'two:1' })).id).toBe(two.config.digest);
    expect((await runtime.images.importAll(source, same)).map(({ id }) => id).sort()).toEqual(
      [one.config.digest, two.config.digest].sort(),
    );
  });

  it('reports progress, and announces the image', async () => {
    await using runtime = await openImageRuntime();
    const steps: string[] = [];
    const built = twoLayers();
    await runtime.images.import({ kind: 'oci-layout', path: writeFiles(place(), layoutOf(built)) }, same, {
      onProgress: ({ step, layer, layers }) => steps.push(`${step} ${layer}/${layers}`),
    });
    expect(steps).toEqual(['store 1/2', 'store 2/2', 'unpack 1/2', 'unpack 2/2']);
    expect(runtime.events).toMatchObject([['image:import', { id: built.config.digest }]]);
  });

  it('stops when it is told to, and leaves nothing', async () => {
    await using runtime = await openImageRuntime();
    const abort = new AbortController();
    const reason = new Error('enough');
    const source = { kind: 'oci-layout', path: writeFiles(place(), layoutOf(twoLayers('gzip'))) } as const;
    const importing = runtime.images.import(source, same, {
      signal: abort.signal,
      onProgress: ({ step }) => (step === 'unpack' ? abort.abort(reason) : undefined),
    });
    await expect(importing).rejects.toBe(reason);
    await runtime.storage[Symbol.asyncDispose]();
    expect(leftovers(runtime.root)).toEqual([]);
  });
});
