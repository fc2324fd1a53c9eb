import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { expectedRound, fileRound } from '../support/file-rounds.mjs';
import { describeWith } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';
import { ProgrammingUser } from '../support/user-program.ts';

const drivers = ['overlay2', 'vfs'] as const;

describeWith({ root: true, tools: ['busybox', 'tar'] }, 'the files of containers, for root', () => {
  it.each(
    drivers.flatMap((storage) =>
      (['normal', 'privileged', 'rootless'] as const).map((mode) => [storage, mode] as const),
    ),
  )('all that can be done with them, on %s, in mode %s', { timeout: 60_000 }, async (storage, mode) => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-files-'));
    chmodSync(directory, 0o755); // root of a user namespace has to get to it
    try {
      await using runtime = await Runtime.open({ root: join(directory, 'root'), storage });
      await runtime.images.import(writeBusyboxRoot(join(directory, 'fs')), { reference: 'box' });
      expect(await fileRound(runtime, 'box', { mode })).toEqual(expectedRound());
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('keep the ids that a user namespace has', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-files-'));
    chmodSync(directory, 0o755);
    try {
      await using runtime = await Runtime.open({ root: join(directory, 'root'), mode: 'rootless' });
      await runtime.images.import(writeBusyboxRoot(join(directory, 'fs')), { reference: 'box' });
      const container = await runtime.containers.create({ image: 'box', command: ['sleep', '1000'] });
      await container.start();
      for (const state of ['running', 'stopped']) {
        if (state === 'stopped') await container.stop({ timeout: 0 });
        await container.copyIn({ files: { [state]: { content: '', uid: 1000, gid: 50 } } }, '/');
        // Through another name space it belongs to another: here the host's.
        await container.copyOut(`/${state}`, join(directory, state), { archive: true });
      }
      await container.start();
      const { stdout } = await container.exec(['stat', '-c', '%u %g', '/running', '/stopped']);
      expect(stdout.toString()).toBe('1000 50\n1000 50\n');
      const image = await container.commit();
      expect(
        (await runtime.run({ image, command: ['stat', '-c', '%u %g', '/running', '/stopped'] })).stdout.toString(),
      ).toBe('1000 50\n1000 50\n');
      expect(
        (
          await runtime.run({ image, mode: 'normal', command: ['stat', '-c', '%u %g', '/running', '/stopped'] })
        ).stdout.toString(),
      ).toBe('1000 50\n1000 50\n');
      await container.remove({ force: true });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

const program = `
import { Runtime } from 'libhako';
import { fileRound } from './file-rounds.mjs';
const [storage, rootfs] = process.argv.slice(2);
await using runtime = await Runtime.open({ root: process.env.HOME + '/' + storage, storage });
await runtime.images.import(rootfs, { reference: 'box' });
console.log(JSON.stringify(await fileRound(runtime, 'box')));
`;

describeWith(
  { root: true, tools: ['busybox', 'tar', 'setpriv', 'unshare'] },
  'the files of containers, for an ordinary user',
  () => {
    it.each(['none', 'helpers'] as const)(
      'all that can be done with them (id mapping: %s)',
      { timeout: 120_000 },
      async (idMapping) => {
        using user = new ProgrammingUser({ idMapping });
        copyFileSync(
          fileURLToPath(new URL('../support/file-rounds.mjs', import.meta.url)),
          join(user.project, 'file-rounds.mjs'),
        );
        for (const storage of drivers) {
          const ran = await user.run(program, storage, user.rootfs);
          expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
          expect(JSON.parse(ran.stdout)).toEqual(expectedRound());
        }
      },
    );
  },
);
