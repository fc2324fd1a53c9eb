import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Image, Runtime } from 'libhako';
import type { Case } from '../support/case.ts';

const MiB = 2 ** 20;
/** How much of 8 MiB a container can write, in the directory that is given. */
const fill = (directory: string) => [
  '/bin/sh',
  '-c',
  `mkdir -p ${directory}/inner && dd if=/dev/zero of=${directory}/inner/file bs=64k count=128 2>/dev/null; wc -c < ${directory}/inner/file`,
];

/** Project quotas of ext4, on a disk that was made for them. */
export const quotaCases: readonly Case[] = [
  {
    name: 'storageQuota: a container writes so much and no more',
    async run() {
      await using runtime = await Runtime.open({ root: '/quota/hako' });
      const image = Image.fromHost();
      for (const directory of ['/root', '/tmp', '/etc']) {
        const limited = await runtime.run({ image, command: fill(directory), storageQuota: '2m' });
        const written = Number(limited.stdout.toString());
        assert.ok(written > MiB && written <= 2 * MiB, `${written} bytes in ${directory}`);
        const free = await runtime.run({ image, command: fill(directory) });
        assert.equal(Number(free.stdout.toString()), 8 * MiB);
      }
    },
  },
  {
    name: 'storageQuota: two containers have a limit each, held over a restart, and what one held is given back',
    async run() {
      await using runtime = await Runtime.open({ root: '/quota/hako' });
      const create = () =>
        runtime.containers.create({
          image: Image.fromHost(),
          command: fill('/root'),
          storageQuota: '3m',
          log: 'none',
        });
      const containers = [await create(), await create()];
      for (const container of containers) {
        for (let round = 0; round < 2; round++) {
          const { stdout } = await container.start({ attach: {} });
          const written = Number(Buffer.concat(await stdout.toArray()).toString());
          assert.ok(written > 2 * MiB && written <= 3 * MiB, `${written} bytes`);
          await container.wait();
        }
        const { UpperDir } = (await container.inspect()).graphDriver.data;
        assert.ok(readdirSync(`${UpperDir}/../..`).includes('quota'));
      }
      for (const container of containers) await container.remove();
    },
  },
  {
    name: 'storageQuota: no limit outlives a snapshot that was half made when its maker was killed',
    async run() {
      const kept = '/quota/kept';
      // CAP_SYS_RESOURCE is above quotas.
      const drop = ['--inh-caps=-sys_resource', '--bounding-set=-sys_resource'];
      const write = () => execFileSync('/usr/bin/setpriv', [...drop, ...fill(kept)], { encoding: 'utf8' }).trim();
      {
        await using runtime = await Runtime.open({ root: '/quota/hako' });
        const half = { image: Image.fromHost(), name: 'half', storageQuota: '2m', log: 'none' } as const;
        const container = await runtime.containers.create({ ...half, command: ['true'] });
        const upper = (await container.inspect()).graphDriver.data['UpperDir'] ?? '';
        // It is of the project still, wherever it is.
        mkdirSync(`${upper}/inner`);
        renameSync(`${upper}/inner`, kept);
        // The positive control.
        assert.ok(Number(write()) <= 2 * MiB);
        const snapshot = resolve(upper, '../..');
        renameSync(snapshot, `${dirname(snapshot)}/.tmp/1.1.half`);
      }
      await using again = await Runtime.open({ root: '/quota/hako' });
      await (await again.containers.get('half')).remove();
      await again.close();
      assert.equal(Number(write()), 8 * MiB);
      rmSync(kept, { recursive: true });
    },
  },
];
