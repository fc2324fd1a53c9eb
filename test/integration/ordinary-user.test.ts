import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { ProgrammingUser } from '../support/user-program.ts';

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

/** Prints what becomes of the health, the restarts, the processes and the history of containers. */
const lifecycle = `
import { Runtime } from 'libhako';
const [rootfs] = process.argv.slice(2);
await using runtime = await Runtime.open({ root: process.env.HOME + '/life' });
await runtime.images.import(rootfs, { reference: 'box' });
const healthOf = async (healthcheck) => {
  const container = await runtime.containers.create({
    image: 'box', command: ['sh', '-c', 'touch /ready; exec nc -ll -p 8080 -e /bin/sh /serve'], healthcheck: { ...healthcheck, interval: 0.05, retries: 1 },
  });
  const judged = new Promise((resolve) => container.on('health', resolve));
  await new Promise((resolve) => setTimeout(resolve, 10));
  await container.start();
  const health = await judged;
  const { rows } = await container.top({ psArgs: '-o user,args' });
  await container.remove({ force: true });
  return [health, rows.map((row) => row.join(' ')).join()];
};
const health = [];
for (const each of [{ test: 'true' }, { tcp: 8080 }, { file: '/ready' }, { file: '/none' }, { http: { port: 8080 } }]) health.push(await healthOf({ startPeriod: 1, startInterval: 0.05, ...each }));
const failing = await runtime.containers.create({ image: 'box', command: ['false'], restart: 'on-failure:2' });
await failing.start();
for (let end; end?.restartCount !== 2 || end.state.status !== 'exited'; end = await failing.inspect())
  await new Promise((resolve) => setTimeout(resolve, 50));
const { removed } = await runtime.containers.prune();
console.log(JSON.stringify({ health, removed: removed.length }));
`;

describeWith({ root: true, tools: ['busybox', 'setpriv', 'unshare'], paths: [built.entry] }, 'an ordinary user', () => {
  it.each(['none', 'helpers'] as const)(
    'imports a root filesystem and runs it, on either storage driver (id mapping: %s)',
    { timeout: 120_000 },
    async (idMapping) => {
      using user = new ProgrammingUser({ idMapping });
      writeFileSync(join(user.rootfs, 'etc/mark'), 'marked\n');
      mkdirSync(join(user.rootfs, 'tmp'));
      chmodSync(join(user.rootfs, 'tmp'), 0o1777);
      for (const storage of ['overlay2', 'vfs']) {
        const ran = await user.run(program, storage, user.rootfs);
        expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
        expect(JSON.parse(ran.stdout)).toEqual({ box: '0\nmarked\n', exitCode: 0, left: 0 });
      }
    },
  );

  it.each(['none', 'helpers'] as const)(
    'has health checks, restarts and processes looked at (id mapping: %s)',
    { timeout: 120_000 },
    async (idMapping) => {
      using user = new ProgrammingUser({ idMapping });
      writeFileSync(join(user.rootfs, 'serve'), "printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'");
      const ran = await user.run(lifecycle, user.rootfs);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      const { health, removed } = JSON.parse(ran.stdout) as { health: [string, string][]; removed: number };
      expect(health.map(([status]) => status)).toEqual(['healthy', 'healthy', 'healthy', 'unhealthy', 'healthy']);
      for (const [, processes] of health) expect(processes).toMatch(/^\S+ (?:sh -c touch|nc -ll)/);
      expect(removed).toBe(1);
    },
  );

  it.each(['agent-sandbox', 'ci-runner', 'online-judge'])(
    'is told in a sentence what the example %s needs, where no control group was delegated',
    { timeout: 60_000 },
    async (example) => {
      using user = new ProgrammingUser({ idMapping: 'none' });
      const ran = await user.run(
        `process.argv[1] = '${user.project}/dist/examples/${example}.js'; await import(process.argv[1]);`,
      );
      expect(ran).toMatchObject({ exitCode: 1, stdout: '' });
      expect(ran.stderr).toMatch(/^resources\.\w+ needs the \w+ controller .*Delegate=yes.*\n$/);
    },
  );

  it.each(['none', 'helpers'] as const)(
    'starts an ephemeral container again, of an image and of the host (id mapping: %s)',
    { timeout: 60_000 },
    async (idMapping) => {
      using user = new ProgrammingUser({ idMapping });
      const ran = await user.run(
        `
        import { Image, Runtime } from 'libhako';
        await using runtime = await Runtime.open({ root: process.env.HOME + '/again' });
        await runtime.images.import(process.argv[2], { reference: 'box' });
        for (const image of ['box', Image.fromHost()]) {
          await using container = await runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
          await container.start();
          await container.restart({ timeout: 0 });
          await container.copyIn({ files: { mark: '' } }, '/home');
          await container.stop({ timeout: 0 });
          await container.copyOut('/home/mark', process.env.HOME + '/mark');
          await container.copyIn({ files: { mark: '' } }, '/home');
          await container.start();
          console.log((await container.inspect()).state.status);
        }
      `,
        user.rootfs,
      );
      expect(ran).toMatchObject({ exitCode: 0, stderr: '', stdout: 'running\nrunning\n' });
    },
  );
});
