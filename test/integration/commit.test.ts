import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { type Container, Image, Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { contentOf, inside, prepared, tarList, whole } from '../support/file-cases.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const change = `
mkdir -p /made/deep; echo new > /made/deep/file; ln /made/deep/file /made/hard; ln -s deep /made/link
rm /bin/yes; rm -r /home; echo changed >> /etc/group; chmod 4711 /made/deep/file; chown 12:34 /made`;

const blob = (root: string, digest: string) =>
  readFileSync(join(root, 'content/blobs/sha256', digest.slice('sha256:'.length)));

describeWith({ root: true, tools: ['busybox', 'tar'] }, 'committing', () => {
  it.each(['overlay2', 'vfs'] as const)(
    'makes an image that runs, with what was changed and nothing else (%s)',
    async (storage) => {
      await using opened = await openRuntime({ storage });
      const { runtime, root } = opened;
      const container = await prepared(runtime, change, {
        env: { A: '1', B: '2' },
        labels: { kept: 'yes', over: 'old' },
        user: '0',
        workingDirectory: '/made',
        command: ['sleep', '1000'],
        mounts: [{ type: 'tmpfs', target: '/scratch' }],
      });
      await inside(container, 'echo secret > /scratch/not-this');
      const image = await container.commit({
        reference: 'committed:1',
        author: 'A. Thor',
        comment: 'why not',
        config: {
          cmd: ['cat', '/made/deep/file'],
          env: ['B=3', 'C=4'],
          labels: { over: 'new' },
          exposedPorts: ['80/tcp'],
        },
      });
      expect(image.references).toEqual(['docker.io/library/committed:1']);
      expect(image.layers).toHaveLength(2);
      expect(image.config).toMatchObject({ author: 'A. Thor', diffIds: image.layers.map(({ diffId }) => diffId) });
      expect(image.config.history.at(-1)).toMatchObject({
        createdBy: 'sleep 1000',
        comment: 'why not',
        emptyLayer: false,
      });
      expect(image.config.defaults).toMatchObject({
        cmd: ['cat', '/made/deep/file'],
        env: ['A=1', 'B=3', 'C=4'],
        labels: { kept: 'yes', over: 'new' },
        workingDir: '/made',
        user: '0',
        exposedPorts: ['80/tcp'],
      });
      const layer = gunzipSync(blob(root, image.layers[1]?.digest ?? ''));
      expect(
        tarList(layer)
          .filter((line) => !/scratch/.test(line))
          .sort(),
      ).toEqual(
        [
          'drwxr-xr-x 0/0 bin/',
          '-rw------- 0/0 bin/.wh.yes',
          'drwxr-xr-x 0/0 etc/',
          '-rw-r--r-- 0/0 etc/group',
          '-rw------- 0/0 .wh.home',
          'drwxr-xr-x 12/34 made/',
          'drwxr-xr-x 0/0 made/deep/',
          '-rws--x--x 0/0 made/deep/file',
          'hrws--x--x 0/0 made/hard link to made/deep/file',
          'lrwxrwxrwx 0/0 made/link -> deep',
        ].sort(),
      );
      expect(tarList(layer).some((line) => line.includes('not-this'))).toBe(false);
      expect((await runtime.run({ image: 'committed:1' })).stdout.toString()).toBe('new\n');
      const look =
        'echo $A$B$C; pwd; ls -d /home /bin/yes 2>&1 | wc -l; stat -c "%a %u %g %h" /made /made/hard; tail -1 /etc/group';
      expect((await runtime.run({ image, command: ['sh', '-c', look] })).stdout.toString()).toBe(
        '134\n/made\n2\n755 12 34 3\n4711 0 0 2\nchanged\n',
      );
      // It goes on, and its files are its own.
      expect((await container.inspect()).state.status).toBe('running');
      await container.remove({ force: true });
    },
  );

  it('commits containers of commits, stopped and unchanged ones, and keeps what the base says', async () => {
    await using opened = await openRuntime();
    const { runtime } = opened;
    const first = await prepared(runtime, 'echo 1 > /one');
    const one = await first.commit({
      config: {
        entrypoint: ['sh', '-c'],
        volumes: ['/vol'],
        healthcheck: { test: ['CMD', 'true'], interval: 5_000_000_000 },
      },
    });
    expect(one.references).toEqual([]);
    expect(one.config.defaults).toMatchObject({ entrypoint: ['sh', '-c'], cmd: [] });
    const second = await prepared(runtime, 'rm /one; echo 2 > /two', {
      image: one,
      entrypoint: ['sleep'],
      command: ['1000'],
    });
    await second.stop({ timeout: 0 });
    const two = await second.commit({ reference: 'two', pause: true });
    expect(two.layers).toHaveLength(3);
    expect(two.config.history).toHaveLength(3);
    expect(two.config.defaults).toMatchObject({
      volumes: ['/vol'],
      healthcheck: { test: ['CMD', 'true'], interval: 5_000_000_000 },
      entrypoint: ['sleep'],
    });
    const unchanged = await runtime.containers.create({ image: 'two' });
    const same = await unchanged.commit({ comment: 'nothing' });
    expect(same.layers).toEqual(two.layers);
    expect(same.config.history.at(-1)).toMatchObject({ comment: 'nothing', emptyLayer: true });
    expect(
      (
        await runtime.run({ image: same, entrypoint: ['sh', '-c'], command: ['ls / | grep -E "one|two"'] })
      ).stdout.toString(),
    ).toBe('two\n');
    await expect(unchanged.commit({ reference: 'Not/A/Name' })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_REFERENCE',
    });
    await expect(unchanged.commit({ config: { command: ['x'] } as never })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
    });
    for (const container of [first, second, unchanged]) await container.remove({ force: true });
    // A container of the host's root has no image to put a layer on.
    const host = await runtime.containers.create({ image: Image.fromHost() });
    await expect(host.commit()).rejects.toMatchObject({ code: 'HAKO_ERR_IMAGE_NOT_FOUND' });
    await host.remove();
  });

  const isOne = (lines: number) => lines <= 1;

  it('holds the container meanwhile, with another commit too, and leaves one that was paused so', async () => {
    await using opened = await openRuntime();
    const container = await prepared(opened.runtime, 'dd if=/dev/urandom of=/between bs=1M count=24 2>/dev/null', {
      command: ['sh', '-c', 'while true; do echo >> /zzz; echo >> /aaa; done'],
    });
    /** How far apart two files are in the image that are written in turn, when a large one is read between them. */
    const apart = async (pause: boolean): Promise<number> => {
      const image = await container.commit({ pause });
      const { stdout } = await opened.runtime.run({ image, command: ['wc', '-l', '/aaa', '/zzz'] });
      const [a = 0, z = 0] = stdout
        .toString()
        .trim()
        .split('\n')
        .map((line) => Number.parseInt(line, 10));
      return Math.abs(a - z);
    };
    expect(await apart(true)).toBeLessThanOrEqual(1);
    // The first is done while the second still reads.
    const began = performance.now();
    await container.commit();
    const half = (performance.now() - began) / 2;
    const first = apart(true);
    await sleep(half);
    expect(await Promise.all([apart(true), first])).toEqual([expect.toSatisfy(isOne), expect.toSatisfy(isOne)]);
    expect((await container.inspect()).state.status).toBe('running');
    // The positive control.
    let most = 0;
    for (let round = 0; most <= 1 && round < 10; round++) most = await apart(false);
    expect(most).toBeGreaterThan(1);
    const before = await contentOf(container, '/aaa');
    await expect.poll(() => contentOf(container, '/aaa')).not.toBe(before);
    await container.pause();
    await container.commit();
    expect((await container.inspect()).state).toMatchObject({ status: 'paused' });
    await container.unpause();
    // Paused while it is held, and unpaused while it is.
    const paused = container.commit({ pause: true });
    await expect.poll(async () => (await container.inspect()).state.status, { interval: 2 }).toBe('paused');
    await expect(container.unpause()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_PAUSED' });
    await container.pause();
    await paused;
    expect((await container.inspect()).state.status).toBe('paused');
    let committed = false;
    const unpaused = container.commit({ pause: true }).then(() => {
      committed = true;
    });
    await expect.poll(() => marks(opened.root, container), { interval: 2 }).toHaveLength(2);
    await container.unpause();
    expect(committed || marks(opened.root, container).length === 0).toBe(true);
    await unpaused;
    expect((await container.inspect()).state.status).toBe('running');
    await container.remove({ force: true });
  });

  it('leaves nothing when it is aborted or fails', async () => {
    await using opened = await openRuntime();
    const { runtime, root } = opened;
    const container = await prepared(runtime, 'dd if=/dev/urandom of=/big bs=1M count=64 2>/dev/null');
    const blobs = () => readdirSync(join(root, 'content/blobs/sha256')).sort();
    const before = blobs();
    const abort = new AbortController();
    const committing = container.commit({ signal: abort.signal });
    await expect.poll(() => readdirSync(join(root, 'content/ingest')).length).toBeGreaterThan(0);
    abort.abort(new Error('enough'));
    await expect(committing).rejects.toThrow('enough');
    await expect.poll(() => readdirSync(join(root, 'content/ingest'))).toEqual([]);
    expect(blobs()).toEqual(before);
    expect((await container.inspect()).state.status).toBe('running');
    expect((await container.exec(['echo', 'on'])).stdout.toString()).toBe('on\n');
    expect(marks(root, container)).toEqual([]);
    await container.remove({ force: true });
  });

  it.each(['has the root open', 'opens it next'])(
    'lets a container go whose holder was killed: who %s',
    async (who) => {
      const directory = mkdtempSync(join(tmpdir(), 'hako-commit-'));
      const root = join(directory, 'root');
      const program = `
      import { Runtime } from 'libhako';
      const runtime = await Runtime.open({ root: ${JSON.stringify(root)} });
      await runtime.images.import(${JSON.stringify(writeBusyboxRoot(join(directory, 'fs')))}, { reference: 'box' });
      const container = await runtime.containers.create({ name: 'held', image: 'box', detached: true, command: ['sleep', '1000'] });
      await container.start();
      await container.exec(['dd', 'if=/dev/urandom', 'of=/big', 'bs=1M', 'count=64']);
      (async () => { for (;;) await container.commit(); })();
      const { readdirSync } = await import('node:fs');
      const held = () => readdirSync(${JSON.stringify(root)} + '/containers/' + container.id).some((name) => name.endsWith('hold'));
      while (!held() || (await container.inspect()).state.status !== 'paused') await new Promise((resolve) => setTimeout(resolve, 1));
      process.kill(process.pid, 'SIGKILL');`;
      const early = who === 'has the root open' ? await Runtime.open({ root }) : null;
      try {
        const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
          encoding: 'utf8',
          timeout: 60_000,
        });
        expect(`${signal} ${stderr}`).toBe('SIGKILL ');
        await using runtime = early ?? (await Runtime.open({ root }));
        const container = await runtime.containers.get('held');
        const status = async () => (await container.inspect()).state.status;
        if (early !== null) await expect.poll(status, { timeout: 10_000 }).toBe('running');
        expect(await status()).toBe('running');
        expect((await container.exec(['echo', 'on'])).stdout.toString()).toBe('on\n');
        expect(marks(root, container)).toEqual([]);
        await expect.poll(() => readdirSync(join(root, 'content/ingest')), { timeout: 10_000 }).toEqual([]);
        expect(await runtime.images.list()).toHaveLength(1);
        await container.remove({ force: true });
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );
});

/** Who holds a container, by the files that say so. */
function marks(root: string, container: Container): readonly string[] {
  return readdirSync(join(root, 'containers', container.id)).filter((name) => /\.(?:hold|thaw)$/.test(name));
}

describeWith({ root: true, tools: ['busybox', 'umoci', 'skopeo'] }, 'a committed image', () => {
  it('is unpacked by umoci to what the container had', async () => {
    await using opened = await openRuntime();
    const { runtime, root } = opened;
    const container = await prepared(runtime, change);
    const image = await container.commit();
    const layout = join(root, 'layout');
    mkdirSync(join(layout, 'blobs'), { recursive: true });
    writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    spawnSync('cp', ['-r', join(root, 'content/blobs/sha256'), join(layout, 'blobs')]);
    const manifest = readdirSync(join(layout, 'blobs/sha256')).find((name) => {
      const text = readFileSync(join(layout, 'blobs/sha256', name));
      return text[0] === 0x7b && JSON.parse(text.toString()).config?.digest === image.id;
    });
    expect(manifest).toBeDefined();
    const size = readFileSync(join(layout, 'blobs/sha256', `${manifest}`)).byteLength;
    writeFileSync(
      join(layout, 'index.json'),
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            digest: `sha256:${manifest}`,
            size,
            annotations: { 'org.opencontainers.image.ref.name': 'it' },
          },
        ],
      }),
    );
    const bundle = join(root, 'bundle');
    const run = (...argv: string[]) => {
      const { status, stderr } = spawnSync(findTool(argv[0] ?? '') ?? '', argv.slice(1), { encoding: 'utf8' });
      expect(`${status} ${stderr.replaceAll(/.*(level=|msg=).*\n/g, '')}`).toBe('0 ');
    };
    run('skopeo', 'inspect', '--raw', `oci:${layout}:it`);
    run('umoci', 'unpack', '--image', `${layout}:it`, bundle);
    expect(existsSync(join(bundle, 'rootfs/home'))).toBe(false);
    const unpacked = spawnSync('tar', ['-C', join(bundle, 'rootfs'), '--sort=name', '-cf', '-', '.'], {
      maxBuffer: 1 << 28,
    }).stdout;
    const clean = (archive: Buffer) =>
      tarList(archive)
        .map((line) => line.replace(/ \.\//, ' ').replace(' link to ./', ' link to '))
        .sort();
    const exported = clean(await whole(container.export()));
    // What hako makes for mounts in every container is in no image.
    const made = /^\S+ \S+ (dev|proc|sys|run|tmp|etc\/(hosts|hostname|resolv.conf|mtab))(\/| |$)/;
    expect(clean(unpacked).filter((line) => !made.test(line))).toEqual(exported.filter((line) => !made.test(line)));
    await container.remove({ force: true });
  });
});
