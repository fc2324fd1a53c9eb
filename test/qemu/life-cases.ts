import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Image, Runtime } from 'libhako';
import { normal } from '../../plugins/privilege/normal/index.ts';
import { vfs } from '../../plugins/storage/vfs/index.ts';
import type { Case } from '../support/case.ts';

const MiB = 2 ** 20;
const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];
const root = '/tmp/hako-life';

/** A root filesystem with a shell, below the machine's own disk. */
function shellRoot(): string {
  mkdirSync('/tmp/shell/bin', { recursive: true });
  for (const name of ['sh', 'busybox']) copyFileSync('/bin/busybox', `/tmp/shell/bin/${name}`);
  return '/tmp/shell';
}

/** What containers do in their life, where each has one group of version 2. */
export const lifeCases: readonly Case[] = [
  {
    name: 'a pool’s containers have their groups and limits before they have a program, and tell of an OOM kill',
    async run() {
      await using runtime = await Runtime.open({ root });
      await using pool = await runtime.containers.pool({
        image: Image.fromHost(),
        size: 1,
        resources: { memory: '32m', memorySwap: '32m' },
      });
      await pool.ready();
      const seen = await pool.run(sh('cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'));
      assert.equal(seen.stdout.toString(), `0::/\n${32 * MiB}\n4096\n`);
      await pool.ready();
      const killed = await pool.run(sh('exec dd if=/dev/zero of=/dev/null bs=64M count=1'));
      assert.deepEqual([killed.exitCode, killed.oomKilled], [137, true]);
    },
  },
  {
    name: 'ids of a container’s own, on mounts that are shifted',
    async run() {
      await using runtime = await Runtime.open({ root: '/quota/own', storage: vfs() });
      const source = { kind: 'rootfs', rootfs: shellRoot() } as const;
      const image = await runtime.images.import(source, { reference: 'shell:own' });
      const script = 'echo x > /made; while :; do busybox sleep 1; done';
      const container = await runtime.containers.create({
        image,
        command: sh(script),
        mode: normal({ userns: 'auto' }),
      });
      await using _ = container;
      await container.start();
      const { state, isolation } = await container.inspect();
      assert.ok(state.status === 'running');
      const start = isolation.idMappings?.uid[0]?.hostId ?? 0;
      assert.ok(start > 65_536);
      assert.match(readFileSync(`/proc/${state.pid}/status`, 'utf8'), new RegExp(`^Uid:\t${start}\t`, 'm'));
      await container.update({ resources: { pids: 7 } });
      const look = await container.exec(
        sh('busybox stat -c %u /made /bin/sh; cat /sys/fs/cgroup/pids.max /proc/self/cgroup'),
      );
      assert.equal(look.stdout.toString(), '0\n0\n7\n0::/\n');
      await container.remove({ force: true });
    },
  },
  {
    name: 'files go into and out of a container that runs, and it is held while it is committed',
    async run() {
      await using runtime = await Runtime.open({ root });
      const source = { kind: 'rootfs', rootfs: shellRoot() } as const;
      const image = await runtime.images.import(source, { reference: 'shell:life' });
      const mounts = [{ type: 'tmpfs', target: '/t' }] as const;
      const script = 'echo x > /made; echo y > /t/made; while :; do busybox sleep 1; done';
      const container = await runtime.containers.create({ image, command: sh(script), mounts });
      await using _ = container;
      await container.start();
      while ((await container.exec(sh('busybox test -e /t/made'))).exitCode !== 0);
      const archive = await text((await container.copyOut('/t/made')).stream);
      assert.ok(archive.includes('y\n'));
      writeFileSync('/tmp/given', 'z\n');
      await container.copyIn('/tmp/given', '/t');
      assert.equal((await container.exec(sh('busybox cat /t/given'))).stdout.toString(), 'z\n');
      const committed = await container.commit({ reference: 'made:life' });
      assert.equal((await container.inspect()).state.status, 'running');
      const { stdout } = await runtime.run({ image: committed, command: sh('busybox cat /made') });
      assert.equal(stdout.toString(), 'x\n');
      await container.remove({ force: true });
    },
  },
  {
    name: 'a detached container is found by the next runtime, with its group',
    async run() {
      {
        await using runtime = await Runtime.open({ root });
        const options = { image: Image.fromHost(), command: sh('sleep 1000'), detached: true, log: 'none' } as const;
        await (await runtime.containers.create({ ...options, name: 'kept' })).start();
      }
      await using again = await Runtime.open({ root });
      const container = await again.containers.get('kept');
      assert.equal((await container.stats()).pids.current, 1);
      await container.pause();
      await container.unpause();
      assert.equal((await container.exec(sh('exit 4'))).exitCode, 4);
      assert.equal((await container.stop({ timeout: 0 })).exitCode, 137);
      await container.remove();
    },
  },
];
