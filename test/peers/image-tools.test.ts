import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ActiveKey } from '../../src/contracts/storage-driver.ts';
import type { Image } from '../../src/image/image.ts';
import type { ImageSource } from '../../src/image/import-source.ts';
import { runMounted } from '../../src/plugin-conformance.ts';
import { buildImage, layerOf, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { type ImageRuntime, openImageRuntime } from '../support/image-runtime.ts';
import { describeWith } from '../support/requires.ts';

const same = { kind: 'same' } as const;
const scratch = mkdtempSync(join(tmpdir(), 'hako-tools-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd: scratch, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const listing = 'find . -mindepth 1 -not -path "./dev*" -printf "%P %y %m %U %G %s %l\\n" | sort';

async function look(runtime: ImageRuntime, image: Image): Promise<string> {
  const key = `look-${Math.random().toString(36).slice(2)}` as ActiveKey;
  return runtime.images.withSnapshot(image, same, async (parent) =>
    runMounted(await runtime.storage.prepare(key, parent), listing),
  );
}

const built = buildImage({
  layers: [
    {
      tar: layerOf(
        { type: '5', name: 'etc/', mode: 0o755 },
        { name: 'etc/os-release', data: 'ID=x\n' },
        { name: 'gone', data: 'x' },
        { type: '2', name: 'link', link: 'etc/os-release' },
      ),
      compression: 'gzip',
    },
    {
      tar: layerOf({ name: '.wh.gone' }, { name: 'bin/tool', data: '#!/bin/sh\n', mode: 0o4755, uid: 7, gid: 8 }),
      compression: 'gzip',
    },
  ],
  config: { Env: ['PATH=/bin'], Cmd: ['/bin/tool'] },
});

describeWith({ root: true, tools: ['skopeo'] }, 'what skopeo makes of an image', () => {
  beforeAll(() => {
    writeFiles(join(scratch, 'layout'), layoutOf(built, '1'));
    for (const target of [
      'docker-archive:docker.tar:example.org/app:1',
      'oci-archive:oci.tar:example.org/app:1',
      'oci:copy:example.org/app:1',
    ])
      run('skopeo', '--insecure-policy', 'copy', '--quiet', 'oci:layout:1', target);
    run(
      'skopeo',
      '--insecure-policy',
      'copy',
      '--quiet',
      '--dest-compress-format',
      'zstd',
      '--dest-compress',
      'oci:layout:1',
      'oci:zstd:example.org/app:1',
    );
  });

  it.each<[string, ImageSource]>([
    ['a docker archive', { kind: 'archive', archive: join(scratch, 'docker.tar') }],
    ['an OCI archive', { kind: 'archive', archive: join(scratch, 'oci.tar') }],
    ['an OCI layout', { kind: 'oci-layout', path: join(scratch, 'copy') }],
    ['an OCI layout with zstd', { kind: 'oci-layout', path: join(scratch, 'zstd') }],
  ])('%s is the same image to hako', async (_title, source) => {
    await using runtime = await openImageRuntime();
    const original = await runtime.images.import({ kind: 'oci-layout', path: join(scratch, 'layout') }, same);
    const image = await runtime.images.import(source, same);
    expect(image.references).toEqual(['example.org/app:1']);
    expect(image.layers.map(({ diffId }) => diffId)).toEqual(original.layers.map(({ diffId }) => diffId));
    expect(image.config.defaults).toMatchObject({ env: ['PATH=/bin'], cmd: ['/bin/tool'] });
    expect(await look(runtime, image)).toBe(await look(runtime, original));
  });
});

describeWith({ root: true, tools: ['umoci'] }, 'what umoci makes', () => {
  it('has the files that umoci itself unpacks', async () => {
    run('umoci', 'init', '--layout', 'made');
    run('umoci', 'new', '--image', 'made:app');
    run('umoci', 'unpack', '--image', 'made:app', 'first');
    const tree = join(scratch, 'first/rootfs');
    mkdirSync(join(tree, 'srv/empty'), { recursive: true });
    writeFileSync(join(tree, 'srv/file'), 'content', { mode: 0o640 });
    writeFileSync(join(tree, 'srv/gone'), 'x');
    run('umoci', 'repack', '--image', 'made:app', 'first');
    run('umoci', 'unpack', '--image', 'made:app', 'second');
    rmSync(join(scratch, 'second/rootfs/srv/gone'));
    run('umoci', 'repack', '--image', 'made:app', 'second');
    run('umoci', 'insert', '--image', 'made:app', join(tree, 'srv'), '/inserted');
    run('umoci', 'config', '--image', 'made:app', '--config.cmd', '/srv/file');
    run('umoci', 'unpack', '--image', 'made:app', 'bundle');
    await using runtime = await openImageRuntime();
    const image = await runtime.images.import({ kind: 'oci-layout', path: join(scratch, 'made') }, same, {
      reference: 'app',
    });
    expect(image.config.defaults.cmd).toEqual(['/srv/file']);
    expect(image.layers).toHaveLength(3);
    const files = (text: string) => text.split('\n').filter((line) => /^(?:srv|inserted)/.test(line));
    expect(files(await look(runtime, image))).toEqual(
      files(runMounted([{ type: 'bind', source: join(scratch, 'bundle/rootfs'), options: ['rbind'] }], listing)),
    );
  });
});
