import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

/** A process of its own that starts a container, says so, and waits to be killed. */
async function startElsewhere(
  root: string,
  options: Record<string, unknown>,
): Promise<ChildProcess & { readonly pid: number }> {
  const program = `
    import { Runtime } from ${JSON.stringify(built.entry)};
    const runtime = await Runtime.open({ root: ${JSON.stringify(root)} });
    const container = await runtime.containers.create(${JSON.stringify({ image, ...options })});
    await container.start();
    console.log((await container.inspect()).state.pid);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = await once(child.stdout, 'data');
  return Object.assign(child, { containerPid: Number(pid) }) as never;
}

async function killNode(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Gone, or dead and waiting for a parent that does not come. */
function isDead(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

const texts = async (container: { logs(): AsyncIterable<{ readonly line: Uint8Array }> }) => {
  const lines: string[] = [];
  for await (const { line } of container.logs()) lines.push(Buffer.from(line).toString());
  return lines;
};

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'kill -9 of node', () => {
  it('ends a container that is not detached, and its end is known to the next runtime', async () => {
    await using test = await openRuntime();
    const child = await startElsewhere(test.root, { name: 'mortal', command: ['sh', '-c', 'echo begun; sleep 60'] });
    const { containerPid } = child as unknown as { containerPid: number };
    expect(readFileSync(`/proc/${containerPid}/cmdline`, 'utf8')).toContain('sleep');
    await killNode(child);
    await expect.poll(() => isDead(containerPid)).toBe(true);
    await using next = await Runtime.open({ root: test.root });
    const container = await next.containers.get('mortal');
    await expect
      .poll(async () => (await container.inspect()).state)
      .toMatchObject({ status: 'exited', exitCode: 137, signal: 9 });
    expect(await texts(container)).toEqual(['begun']);
    await container.remove();
  });

  it('leaves a detached container to the next runtime, with every line of its log', async () => {
    await using test = await openRuntime();
    const child = await startElsewhere(test.root, {
      name: 'survivor',
      detached: true,
      command: [
        'sh',
        '-c',
        'for i in $(seq 500); do echo $i; done; while [ ! -e /go ]; do sleep 0.02; done; for i in $(seq 501 1000); do echo $i; done; exit 6',
      ],
    });
    await killNode(child);
    await using next = await Runtime.open({ root: test.root });
    const container = await next.containers.get('survivor');
    expect((await container.exec(['touch', '/go'])).exitCode).toBe(0);
    expect((await container.wait()).exitCode).toBe(6);
    expect(await texts(container)).toEqual(Array.from({ length: 1000 }, (_, index) => String(index + 1)));
    await container.remove();
  });

  it('has an ephemeral container removed by the next runtime', async () => {
    await using test = await openRuntime();
    const child = await startElsewhere(test.root, { name: 'brief', ephemeral: true, command: ['sleep', '60'] });
    await killNode(child);
    await expect
      .poll(async () => {
        await using next = await Runtime.open({ root: test.root });
        return (await next.containers.list()).length;
      })
      .toBe(0);
  });

  it('has a container removed that was not made to its end', async () => {
    await using test = await openRuntime();
    await killNode(await startElsewhere(test.root, { name: 'half', command: ['true'] }));
    const claim = () => {
      const database = new DatabaseSync(join(test.root, 'hako.db'));
      database.prepare('UPDATE containers SET state = ?').run('{"status":"creating"}');
      database.close();
    };
    claim();
    await using next = await Runtime.open({ root: test.root });
    expect(await next.containers.list()).toEqual([]);
    // One that is being made by somebody who lives is let alone.
    await next.containers.create({ image, name: 'whole', command: ['true'] });
    claim();
    await using third = await Runtime.open({ root: test.root });
    const [container] = await third.containers.list();
    expect(container).toMatchObject({ name: 'whole', state: { status: 'creating' } });
    const handle = await third.containers.get('whole');
    await expect(handle.start()).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_ALREADY_STARTED' });
    await handle.remove({ force: true });
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'kill -9 of the supervisor', () => {
  it('takes the container with it, and the container is called lost', async () => {
    await using test = await openRuntime();
    const container = await test.runtime.containers.create({ image, name: 'orphan', command: ['sleep', '60'] });
    await container.start();
    const { state } = await container.inspect();
    if (state.status !== 'running') throw new Error(state.status);
    process.kill(state.supervisorPid, 'SIGKILL');
    await expect(container.wait()).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
    await expect.poll(() => isDead(state.pid)).toBe(true);
    expect((await container.inspect()).state.status).toBe('lost');
    await container.start();
    expect((await container.inspect()).state.status).toBe('running');
    await container.remove({ force: true });
    for (const directory of state.cgroups) expect(existsSync(directory), directory).toBe(false);
  });
});
