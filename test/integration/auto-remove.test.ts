import { type ChildProcess, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Container, Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { elsewhere, killed } from '../support/elsewhere.ts';
import { describeWith } from '../support/requires.ts';
import { sourceCommand } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

const statusOf = async (container: Container) => (await container.inspect()).state.status;

describeWith({ root: true, tools: ['busybox'] }, 'autoRemove', () => {
  it.each(['its own runtime', 'another runtime', 'another process'])(
    'leaves a container that is restarted by %s there until it ends',
    async (by) => {
      await using test = await openRuntime();
      await using other = await Runtime.open({ root: test.root });
      const own = await test.runtime.containers.create({ image, command: ['sleep', '60'], autoRemove: true });
      await own.start();
      const handle = by === 'its own runtime' ? own : await other.containers.get(own.id);
      const children: ChildProcess[] = [];
      for (let time = 0; time < 3; time++) {
        const script = `await (await runtime.containers.get('${own.id}')).restart({ timeout: 0 });`;
        if (by === 'another process') children.push(await elsewhere(test.root, script));
        else await handle.restart({ timeout: 0 });
        expect(await statusOf(own)).toBe('running');
      }
      const removed = own.wait({ condition: 'removed' });
      await own.kill();
      await removed;
      for (const child of children) await killed(child);
      expect(await test.runtime.containers.list()).toEqual([]);
    },
  );

  it('removes a container that was stopped to be restarted, and could not be started', async () => {
    await using test = await openRuntime();
    const shared = await test.runtime.containers.create({ image, command: ['sleep', '60'] });
    await shared.start();
    const container = await test.runtime.containers.create({
      ...{ image, command: ['sleep', '60'], autoRemove: true },
      namespaces: { ipc: { container: shared.id } },
    });
    await container.start();
    await shared.kill();
    await shared.wait();
    await expect(container.restart({ timeout: 0 })).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_RUNNING' });
    expect((await test.runtime.containers.list()).map(({ id }) => id)).toEqual([shared.id]);
  });

  it('removes a container after its end, whoever waits for it', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'exit 6'],
      autoRemove: true,
    });
    const removed = container.wait({ condition: 'removed' });
    const next = container.wait({ condition: 'next-exit' });
    await sleep(50);
    expect(await statusOf(container)).toBe('created');
    await container.start();
    expect(await next).toMatchObject({ exitCode: 6 });
    expect(await removed).toMatchObject({ exitCode: 6 });
    expect(await test.runtime.containers.list()).toEqual([]);
  });

  it('tells those who wait how it ended, also when they have seen nothing of it', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, command: ['sh', '-c', 'exit 6'] });
    const waited = Promise.all((['removed', 'next-exit'] as const).map((condition) => container.wait({ condition })));
    await sleep(100);
    const script = `const container = await runtime.containers.get('${container.id}');
      await container.start(); await container.wait(); await container.remove();`;
    const [program = '', ...args] = sourceCommand('script-child.ts', [test.root, script]);
    // All of this process stands still meanwhile.
    execFileSync(program, args, { stdio: 'inherit' });
    expect((await waited).map(({ exitCode }) => exitCode)).toEqual([6, 6]);
  });

  it('removes what a killed process has left, and what ended with nobody there', async () => {
    await using test = await openRuntime();
    const child = await elsewhere(
      test.root,
      `for (const options of [{ command: ['sleep', '60'] }, { command: ['sleep', '0.3'], detached: true }]) {
         const container = await runtime.containers.create({ image: '${image}', autoRemove: true, ...options });
         await container.start();
       }`,
    );
    // Else it would see to them at once.
    await test.runtime.close();
    await killed(child);
    await sleep(600);
    expect(readdirSync(join(test.root, 'containers'))).toHaveLength(2);
    await using next = await Runtime.open({ root: test.root });
    expect(await next.containers.list()).toEqual([]);
  });

  it('goes with its runtime', async () => {
    await using test = await openRuntime();
    const other = await Runtime.open({ root: test.root });
    const container = await other.containers.create({ image, command: ['sleep', '60'], autoRemove: true });
    await container.start();
    await other.close();
    expect(await test.runtime.containers.list()).toEqual([]);
  });
});
