import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { OrdinaryUser } from '../support/ordinary-user.ts';
import { describeWith } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';

/** Prints what a container of each kind of image has said, on the storage driver that is named. */
const program = `
import { Image, Runtime } from 'libhako';
const [storage, rootfs] = process.argv.slice(2);
await using runtime = await Runtime.open({ root: process.env.HOME + '/' + storage, storage });
await runtime.images.import(rootfs, { reference: 'box' });
const say = async (image) => {
  const { stdout } = await runtime.run({ image, command: ['sh', '-c', 'touch /tmp/new || touch /new; id -u; cat /etc/mark'] });
  return stdout.toString();
};
const container = await runtime.containers.create({ image: 'box', command: ['touch', '/written'] });
await container.start();
const { exitCode } = await container.wait();
await container.remove();
console.log(JSON.stringify({ box: await say('box'), exitCode, left: (await runtime.containers.list()).length }));
`;

describeWith({ root: true, tools: ['busybox', 'setpriv', 'unshare'], paths: [built.entry] }, 'an ordinary user', () => {
  it.each(['none', 'helpers'] as const)(
    'imports a root filesystem and runs it, on either storage driver (id mapping: %s)',
    { timeout: 120_000 },
    async (idMapping) => {
      using user = new OrdinaryUser({ idMapping });
      const rootfs = join(user.project, 'rootfs');
      mkdirSync(rootfs);
      writeBusyboxRoot(rootfs);
      writeFileSync(join(rootfs, 'etc/mark'), 'marked\n');
      mkdirSync(join(rootfs, 'tmp'));
      chmodSync(join(rootfs, 'tmp'), 0o1777);
      const script = join(user.project, 'program.mjs');
      writeFileSync(script, program);
      for (const storage of ['overlay2', 'vfs']) {
        const ran = await user.run(['node', script, storage, rootfs]);
        expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
        expect(JSON.parse(ran.stdout)).toEqual({ box: '0\nmarked\n', exitCode: 0, left: 0 });
      }
    },
  );
});
