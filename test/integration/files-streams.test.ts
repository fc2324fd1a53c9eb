import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Image, Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { prepared, tarList, whole } from '../support/file-cases.ts';
import { describeWith } from '../support/requires.ts';
import { openRuntime } from '../support/test-runtime.ts';

/** The processes that are this one's children, by name. */
function workers(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const program = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return Number(parent) === process.pid && program.startsWith('hako-worker') ? [pid] : [];
      } catch {
        return [];
      }
    });
}

const descriptors = () => readdirSync('/proc/self/fd').length;

describeWith({ root: true, tools: ['busybox', 'tar', 'getfattr', 'setfattr'] }, 'streams of files', () => {
  it('carry a gibibyte through in flat memory, out and in', { timeout: 120_000 }, async () => {
    await using opened = await openRuntime();
    // On a tmpfs, so that it costs the disk nothing; sparse files would be sent as holes.
    const options = { mounts: [{ type: 'tmpfs', target: '/m', size: '1100m' }] } as const;
    const container = await prepared(
      opened.runtime,
      'dd if=/dev/urandom of=/m/large bs=1M count=1024 2>/dev/null',
      options,
    );
    const other = await prepared(opened.runtime, 'true', options);
    await whole((await container.copyOut('/etc')).stream);
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss() - before);
    }, 20);
    const { stream } = await container.copyOut('/m/large');
    await other.copyIn(stream, '/m');
    clearInterval(watch);
    expect(most).toBeLessThan(150 * 2 ** 20);
    const sum = async (of: typeof container) => (await of.exec(['busybox', 'md5sum', '/m/large'])).stdout.toString();
    expect(await sum(other)).toBe(await sum(container));
    for (const each of [container, other]) await each.remove({ force: true });
  });

  it('wait for their reader', async () => {
    await using opened = await openRuntime();
    const container = await prepared(opened.runtime, 'yes | head -c 100000000 > /large');
    const { stream } = await container.copyOut('/large');
    stream.read(0);
    await expect.poll(() => workers().length).toBe(1);
    await sleep(500);
    // Pipes and buffers are all that has been read of it.
    const [pid] = workers();
    const read = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
    expect(Number(read)).toBeLessThan(8 * 2 ** 20);
    expect((await whole(stream)).length).toBeGreaterThan(100_000_000);
    await container.remove({ force: true });
  });

  it('end when they are aborted, destroyed, or left behind by their runtime, and leave nothing', async () => {
    const fds = descriptors();
    {
      await using opened = await openRuntime();
      const container = await prepared(opened.runtime, 'yes | head -c 100000000 > /large');
      await container.statPath('/');
      const atRest = descriptors();
      const reason = new Error('enough');
      for (const end of ['abort', 'destroy', 'break'] as const) {
        for (const open of [
          async (signal: AbortSignal) => (await container.copyOut('/large', { signal })).stream,
          async (signal: AbortSignal) => container.export({ signal }),
        ]) {
          const abort = new AbortController();
          const stream = await open(abort.signal);
          const failed = new Promise((resolve) => stream.once('error', resolve));
          let length = 0;
          for await (const chunk of stream.iterator({ destroyOnReturn: end === 'break' })) {
            length += chunk.length;
            if (length > 1 << 20) break;
          }
          expect(workers(), end).toHaveLength(1);
          if (end === 'abort') abort.abort(reason);
          if (end === 'destroy') stream.destroy();
          if (end === 'abort') expect(await failed).toBe(reason);
          await expect.poll(() => workers()).toEqual([]);
          await expect.poll(descriptors).toBe(atRest);
        }
      }
      // To the host and back, by the signal.
      const target = mkdtempSync(join(tmpdir(), 'hako-aborted-'));
      const abort = new AbortController();
      const copying = container.copyOut('/large', join(target, 'x'), { signal: abort.signal });
      await expect.poll(() => workers().length).toBeGreaterThan(0);
      abort.abort(reason);
      await expect(copying).rejects.toBe(reason);
      await expect(container.copyIn(target, '/', { signal: abort.signal })).rejects.toBe(reason);
      await expect.poll(() => workers()).toEqual([]);
      rmSync(target, { recursive: true });
      // One that is being read, and one that nobody reads, when the runtime closes.
      const [read, unread] = [container.export(), container.export()];
      const ended = whole(read).then(
        () => 'whole',
        (error: unknown) => (error as { code?: string }).code,
      );
      await expect.poll(() => workers().length).toBe(1);
      await opened.runtime.close();
      expect(await ended).toBe('HAKO_ERR_RUNTIME_CLOSED');
      expect(unread.destroyed).toBe(true);
      expect(workers()).toEqual([]);
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(fds);
  });

  it('leave no half of a file where they were aborted or cut short', async () => {
    await using opened = await openRuntime();
    const container = await prepared(opened.runtime, 'echo old > /kept');
    const reason = new Error('enough');
    const header = execFileSync(
      'sh',
      ['-c', 'cd "$(mktemp -d)"; yes | head -c 10000000 > new; tar -c new | head -c 2000000; rm -r "$PWD"'],
      { maxBuffer: 1 << 24 },
    );
    for (const how of ['abort', 'cut', 'throw'] as const) {
      const abort = new AbortController();
      const source = async function* () {
        yield header;
        if (how === 'throw') throw reason;
        if (how === 'abort') {
          await sleep(200);
          abort.abort(reason);
          await sleep(1000);
        }
      };
      const copied = container.copyIn(source(), '/', { signal: abort.signal });
      await (how === 'cut'
        ? expect(copied).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_ARCHIVE' })
        : expect(copied).rejects.toBe(reason));
      await expect(container.statPath('/new'), how).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
    }
    await container.remove({ force: true });
  });

  it.each(['overlay2', 'vfs'] as const)(
    'an export has everything of the root, and is an image again (%s)',
    async (storage) => {
      await using opened = await openRuntime({ storage });
      const { runtime } = opened;
      const container = await prepared(
        runtime,
        `mkdir /all; echo a > /all/file; ln /all/file /all/hard; ln -s file /all/link; mkfifo /all/fifo; mknod /all/null c 1 3
       chown 1000:50 /all/file; chmod 6711 /all/file; truncate -s 1G /all/sparse; chmod 1777 /all; rm /bin/yes`,
        { mounts: [{ type: 'tmpfs', target: '/scratch' }] },
      );
      const { pid } = (await container.inspect()).state as { pid: number };
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', `/proc/${pid}/root/all/file`]);
      for (const state of ['running', 'stopped']) {
        const archive = await whole(container.export());
        // A file with a gibibyte of holes takes no room.
        expect(archive.length, state).toBeLessThan(20 * 2 ** 20);
        const list = tarList(archive);
        expect(list.filter((line) => / all\//.test(line))).toEqual([
          'drwxrwxrwt 0/0 all/',
          'prw-r--r-- 0/0 all/fifo',
          '-rws--s--x 1000/50 all/file',
          'hrws--s--x 1000/50 all/hard link to all/file',
          'lrwxrwxrwx 0/0 all/link -> file',
          'crw-r--r-- 0/0 all/null',
          '-rw-r--r-- 0/0 all/sparse',
        ]);
        expect(list.some((line) => line.endsWith(' bin/yes'))).toBe(false);
        expect(list.filter((line) => / (scratch|proc|sys)\/./.test(line))).toEqual([]);
        if (state === 'running') await container.stop({ timeout: 0 });
      }
      await runtime.images.import({ kind: 'rootfs', rootfs: container.export() }, { reference: 'again' });
      const look = 'stat -c "%a %u %g %s %h" /all/file /all/sparse; cat /all/hard';
      expect((await runtime.run({ image: 'again', command: ['sh', '-c', look] })).stdout.toString()).toBe(
        '6711 1000 50 2 2\n644 0 0 1073741824 1\na\n',
      );
      const target = mkdtempSync(join(tmpdir(), 'hako-export-'));
      await container.copyOut('/all/file', join(target, 'file'));
      expect(
        execFileSync('getfattr', ['--only-values', '-n', 'user.note', join(target, 'file')], { encoding: 'utf8' }),
      ).toBe('kept');
      await container.copyOut('/all/sparse', join(target, 'sparse'));
      expect(statSync(join(target, 'sparse')).blocks).toBeLessThan(100);
      rmSync(target, { recursive: true });
      await container.remove({ force: true });
    },
  );

  it('need nothing of the container: it may be paused, or be the charge of another runtime', async () => {
    await using opened = await openRuntime();
    await using other = await Runtime.open({ root: opened.root });
    const container = await prepared(opened.runtime, 'echo t > /scratch/t', {
      mounts: [{ type: 'tmpfs', target: '/scratch' }],
    });
    const same = await other.containers.get(container.id);
    await container.pause();
    await same.copyIn({ files: { n: 'new' } }, '/scratch');
    const list = tarList(await whole((await same.copyOut('/scratch')).stream));
    expect(list.slice(1).map((line) => line.split(' ').at(-1))).toEqual(['scratch/n', 'scratch/t']);
    expect((await same.diff()).map(({ path }) => path)).toEqual(['/scratch']);
    expect((await whole(same.export())).length).toBeGreaterThan(100_000);
    await container.unpause();
    expect((await container.exec(['cat', '/scratch/n'])).stdout.toString()).toBe('new');
    await container.remove({ force: true });
    await expect(same.copyOut('/scratch')).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_FOUND' });
  });

  it("a container on the host's own root gives its files and its changes", async () => {
    await using opened = await openRuntime();
    const container = await opened.runtime.containers.create({ image: Image.fromHost(), command: ['sleep', '1000'] });
    await container.start();
    await container.exec([
      'sh',
      '-euc',
      'echo new > /etc/hako-new; rm /etc/passwd; echo t > /tmp/hako-t; mkdir /opt/hako',
    ]);
    for (const state of ['running', 'stopped']) {
      const changes = (await container.diff()).map(({ kind, path }) => `${kind} ${path}`);
      expect(changes, state).toEqual(
        expect.arrayContaining([
          'modified /etc',
          'added /etc/hako-new',
          'deleted /etc/passwd',
          'added /opt/hako',
          'added /tmp/hako-t',
        ]),
      );
      expect(changes.length).toBeLessThan(40);
      expect(tarList(await whole((await container.copyOut('/etc/hako-new')).stream))).toEqual([
        '-rw-r--r-- 0/0 hako-new',
      ]);
      await container.copyIn({ files: { [`hako-${state}`]: '' } }, '/etc');
      expect((await container.statPath(`/etc/hako-${state}`)).size).toBe(0);
      await expect(container.statPath('/etc/passwd')).rejects.toMatchObject({ code: 'HAKO_ERR_PATH_NOT_FOUND' });
      if (state === 'running') await container.stop({ timeout: 0 });
    }
    await container.remove({ force: true });
  });

  it.each(['running', 'ended'])(
    "an ephemeral container on the host's own root can be exported when it is %s",
    async (state) => {
      await using opened = await openRuntime();
      await using container = await opened.runtime.containers.create({
        image: Image.fromHost(),
        command: ['sleep', '1000'],
        ephemeral: true,
      });
      await container.start();
      if (state === 'ended') await container.stop({ timeout: 0 });
      for (let round = 0; round < 2; round++) {
        const stream = container.export();
        for await (const chunk of stream) {
          expect(chunk.length).toBeGreaterThan(0);
          break;
        }
      }
      if (state === 'ended') await container.start();
      expect((await container.inspect()).state.status).toBe('running');
    },
  );
});
