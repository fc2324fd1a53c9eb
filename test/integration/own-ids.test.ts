import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Container, Image, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { normal } from '../../plugins/privilege/normal/index.ts';
import { firstFree } from '../../src/container/id-ranges.ts';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, type TestRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const mode = normal({ userns: 'auto' });
const sh = (script: string): readonly string[] => ['sh', '-c', script];

async function hostIds(container: Container): Promise<{ start: number; size: number }> {
  const { uid, gid } = (await container.inspect()).isolation.idMappings ?? { uid: [], gid: [] };
  expect(gid).toEqual(uid);
  expect(uid).toHaveLength(1);
  return { start: uid[0]?.hostId ?? -1, size: uid[0]?.size ?? -1 };
}

test('the lowest free place of a pool, on a multiple of what a container gets', () => {
  const pool = { start: 1000, size: 50, perContainer: 10 };
  expect(firstFree(pool, [])).toEqual({ start: 1000, size: 10 });
  expect(
    firstFree(pool, [
      { start: 1000, size: 10 },
      { start: 1020, size: 10 },
    ]),
  ).toEqual({ start: 1010, size: 10 });
  // Of other sizes, out of order, over each other, and outside of the pool.
  expect(
    firstFree(pool, [
      { start: 1015, size: 9 },
      { start: 990, size: 13 },
      { start: 0, size: 5 },
      { start: 1016, size: 2 },
    ]),
  ).toEqual({ start: 1030, size: 10 });
  expect(firstFree(pool, [{ start: 1000, size: 41 }])).toBeNull();
  expect(firstFree({ ...pool, size: 9 }, [])).toBeNull();
});

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'containers with ids of their own', () => {
  let opened: TestRuntime;
  let runtime: Runtime;
  beforeAll(async () => {
    opened = await openRuntime();
    runtime = opened.runtime;
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  const create = (script: string, more: object = {}) =>
    runtime.containers.create({ image: busyboxImage, command: sh(script), mode, ...more });

  test('root inside is nobody outside, and is who the image’s files and those that it makes belong to', async () => {
    const container = await create(
      'stat -c %u:%g /bin/busybox; mkdir /d; touch /d/x; busybox chown 5:6 /d/x; stat -c %u:%g /d/x; exec sleep 1000',
    );
    await container.start();
    const { start, size } = await hostIds(container);
    const { isolation, state, graphDriver } = await container.inspect();
    expect(isolation.process).toMatchObject({
      uidMap: [{ containerId: 0, hostId: start, size }],
      seccomp: 'filter',
      noNewPrivileges: true,
    });
    expect(state.status === 'running' && statSync(`/proc/${state.pid}`).uid).toBe(start);
    const ownerInside = async () => (await container.exec(['stat', '-c', '%u:%g', '/d/x'])).stdout.toString();
    await expect.poll(ownerInside).toBe('5:6\n');
    // On the disk they are the image's: layers are shared with every other container.
    const { UpperDir = '' } = graphDriver.data;
    expect([statSync(join(UpperDir, 'd')).uid, statSync(join(UpperDir, 'd/x')).uid]).toEqual([0, 5]);
    await container.remove({ force: true });
  });

  test('no two have the same; they keep them over a restart, and give them back when they are removed', async () => {
    const [one, other] = await Promise.all([create('exit 3'), create('exit 4')]);
    const [first, second] = [await hostIds(one), await hostIds(other)];
    expect(Math.abs(first.start - second.start)).toBeGreaterThanOrEqual(65_536);
    for (let run = 0; run < 2; run++) {
      await one.start();
      expect((await one.wait()).exitCode).toBe(3);
    }
    expect(await hostIds(one)).toEqual(first);
    await one.remove();
    const third = await create('true');
    expect(await hostIds(third)).toEqual(first);
    await Promise.all([other.remove(), third.remove()]);
  });

  test('when all are taken, it is said, and nothing is left of the container', async () => {
    const small = normal({ userns: 'auto', idsPerContainer: 1000, idPool: { start: 3_000_000_000, size: 2500 } });
    const made = [await create('true', { mode: small }), await create('true', { mode: small })];
    await expect(create('true', { mode: small, name: 'third' })).rejects.toMatchObject({
      code: 'HAKO_ERR_IDS_EXHAUSTED',
      message: expect.stringContaining('2 containers have theirs'),
    });
    await expect(runtime.containers.get('third')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_FOUND' });
    await made[0]?.remove();
    const again = await create('true', { mode: small });
    expect(await hostIds(again)).toEqual({ start: 3_000_000_000, size: 1000 });
    await Promise.all([again.remove(), made[1]?.remove()]);
  });

  test('several processes on one root give out no ids twice', { timeout: 60_000 }, async () => {
    const program = `
      import { Runtime } from ${JSON.stringify(built.entry)};
      const runtime = await Runtime.open({ root: ${JSON.stringify(opened.root)} });
      for (let i = 0; i < 6; i++) {
        const container = await runtime.containers.create({ image: ${JSON.stringify(busyboxImage)}, command: ['true'], mode: ${JSON.stringify(mode)} });
        console.log(container.id);
      }
      await runtime.close();`;
    const ran = await Promise.all(
      Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])),
    );
    const containers = await Promise.all(
      ran.flatMap(({ stdout }) => stdout.trim().split('\n')).map((id) => runtime.containers.get(id)),
    );
    const starts = (await Promise.all(containers.map(hostIds))).map(({ start }) => start);
    expect(new Set(starts).size).toBe(24);
    await Promise.all(containers.map((container) => container.remove()));
  });

  test('what is bound in keeps its owners, who are nobody inside, unless it is idmapped', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-own-ids-'));
    try {
      chmodSync(directory, 0o700);
      mkdirSync(join(directory, 'sub'));
      writeFileSync(join(directory, 'secret'), 'root only\n', { mode: 0o600 });
      const script =
        'stat -c %u /m; cat /m/secret 2>/dev/null || echo closed; echo changed 2>/dev/null > /m/secret || echo kept';
      const bind = { type: 'bind', source: directory, target: '/m' } as const;
      const run = async (mounts: readonly object[]) =>
        (await runtime.run({ image: busyboxImage, command: sh(script), mode, mounts: mounts as [] })).stdout.toString();
      expect(await run([bind])).toBe('65534\nclosed\nkept\n');
      // The positive control: shifted, the same files are the container root's own.
      expect(await run([{ ...bind, idmap: true }])).toBe('0\nroot only\n');
      await expect(
        runtime.run({ image: busyboxImage, command: ['true'], mounts: [{ ...bind, idmap: true }] }),
      ).rejects.toThrow(/cannot be idmapped.*userns 'auto'/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test.each(['overlay2', 'vfs'])(
    'copies, differences and commits have the ids that are seen inside (%s)',
    async (storage) => {
      await using other = await openRuntime({ storage });
      const container = await other.runtime.containers.create({
        image: busyboxImage,
        command: sh('touch /made; busybox chown 7:8 /made; exec sleep 1000'),
        mode,
      });
      await container.start();
      while ((await container.exec(['busybox', 'stat', '-c', '%u', '/made'])).stdout.toString() !== '7\n');
      await container.copyIn({ files: { 'in.txt': { content: 'hello', uid: 9 } } }, '/root');
      expect((await container.exec(['stat', '-c', '%u', '/root/in.txt'])).stdout.toString()).toBe('9\n');
      expect(await container.statPath('/made')).toMatchObject({ name: 'made' });
      expect((await container.diff()).map(({ path }) => path)).toContain('/made');
      const image = await container.commit({ reference: 'committed:1' });
      await container.remove({ force: true });
      const { stdout } = await other.runtime.run({ image, command: ['stat', '-c', '%u:%g', '/made'] });
      expect(stdout.toString()).toBe('7:8\n');
    },
  );

  test.each([
    ["another container's namespaces", { namespaces: { pid: 'container:neighbour' } }, /cannot share them/],
    ["the host's user namespace", { namespaces: { user: 'host' } }, /user namespace of its own/],
    ['a mount on the host', { hostMount: true }, /hostMount cannot show/],
  ])('are refused %s', async (_, more, message) => {
    await using neighbour = await runtime.containers.create({
      image: busyboxImage,
      name: 'neighbour',
      command: ['true'],
      ephemeral: true,
    });
    await expect(create('true', more)).rejects.toThrow(message);
    await neighbour.close();
  });

  test("the host's own root is refused: its files would become the container's", async () => {
    await expect(runtime.run({ image: Image.fromHost(), command: ['true'], mode })).rejects.toThrow(
      /fromHost.*rootless/,
    );
  });

  test.each(['overlay2', 'vfs'])('are refused at their creation where no ids can be shifted (%s)', async (storage) => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-ramfs-'));
    // One of the few filesystems that still have no idmapped mounts.
    execFileSync('mount', ['-t', 'ramfs', '-o', 'mode=0700', 'hako-test', directory]);
    try {
      await using other = await Runtime.open({ root: join(directory, 'root'), storage });
      const rootfs = mkdtempSync(join(tmpdir(), 'hako-rootfs-'));
      await other.images.import(writeBusyboxRoot(rootfs), { reference: 'box' });
      rmSync(rootfs, { recursive: true });
      const refused = other.containers.create({ image: 'box', name: 'refused', command: ['true'], mode });
      await expect(refused).rejects.toMatchObject({
        code: 'HAKO_ERR_HOST_UNSUPPORTED',
        message: expect.stringMatching(/ids of files cannot be shifted.*ramfs.*Put the runtime's root on/),
      });
      expect(await other.containers.list()).toEqual([]);
      // The control: it is the ids, and nothing else.
      const plain = await other.containers.create({ image: 'box', command: ['true'] });
      await plain.remove();
    } finally {
      execFileSync('umount', [directory]);
      rmSync(directory, { recursive: true });
    }
  });

  test('on the storage driver vfs, too', async () => {
    await using vfs = await openRuntime({ storage: 'vfs' });
    const script = 'touch /x; busybox chown 5 /x; stat -c %u /bin/busybox /x; stat -c %i / /..; cat /proc/self/uid_map';
    const { stdout } = await vfs.runtime.run({ image: busyboxImage, command: sh(script), mode });
    const [busybox, made, root, above, map] = stdout.toString().split('\n');
    expect([busybox, made, map?.trim().split(/\s+/)]).toEqual(['0', '5', ['0', '1879113728', '65536']]);
    expect(above).toBe(root);
  });
});
