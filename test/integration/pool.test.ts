import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerPool } from 'libhako';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'a pool of prepared containers', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const warnings: string[] = [];
  beforeAll(() => void test.runtime.on('warning', ({ message }) => warnings.push(message)));
  afterEach(() => void warnings.splice(0));

  /** The first processes of those that wait. */
  const waiting = () =>
    readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        const [parent] = /(?<=^PPid:\t)\d+/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        const [grandparent] = /(?<=^PPid:\t)\d+/m.exec(readFileSync(`/proc/${parent}/status`, 'utf8')) ?? [];
        return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'hako:prepared\n' && Number(grandparent) === process.pid;
      } catch {
        return false; // it has ended meanwhile
      }
    });

  const sh = (pool: ContainerPool, script: string, options = {}) => pool.run(['sh', '-c', script], options);

  it('runs a program as runtime.run would', async () => {
    await using pool = await test.runtime.containers.pool({ image, env: { A: 'pool', B: 'pool' }, user: 'app' });
    await pool.ready();
    expect(pool.available).toBe(2);
    const script = 'pwd; id -u; echo $A $B $HOME $$; cat; echo oops >&2; exit 3';
    const warm = await sh(pool, script, { input: 'fed\n', env: { B: 'run' }, workingDirectory: '/made/here' });
    const cold = await test.runtime.run({
      image,
      command: ['sh', '-c', script],
      env: { A: 'pool', B: 'run' },
      user: 'app',
      input: 'fed\n',
      workingDirectory: '/made/here',
    });
    expect(warm.stdout.toString()).toBe('/made/here\n1000\npool run /home/app 1\nfed\n');
    expect(warm.stderr.toString()).toBe('oops\n');
    const { finishedAt: _, ...result } = warm;
    expect(cold).toMatchObject(result);
  });

  it('has /dev/null for stdin when there is no input', async () => {
    await using pool = await test.runtime.containers.pool({ image });
    const { stdout } = await sh(pool, 'readlink /proc/self/fd/0; cat; ls /proc/self/fd');
    expect(stdout.toString()).toBe('/dev/null\n0\n1\n2\n3\n');
  });

  it('leaves nothing of one run for the next', async () => {
    await using pool = await test.runtime.containers.pool({
      image,
      size: 1,
      mounts: [{ type: 'tmpfs', target: '/t' }],
    });
    const traces = '/file /etc/file /t/file /dev/shm/file';
    const leave = await sh(pool, `touch ${traces}; hostname left; (sleep 1000 &) ; export LEFT=1; echo $HOSTNAME`);
    expect(leave.exitCode).toBe(0);
    await pool.ready();
    const look = await sh(pool, `ls ${traces} 2>/dev/null; echo $LEFT; hostname; echo $HOSTNAME; ps -o comm`);
    const [left, name, variable, ...processes] = look.stdout.toString().trimEnd().split('\n');
    expect(left).toBe('');
    expect(name).toBe(variable);
    expect(name).not.toBe(leave.stdout.toString().trim());
    expect(processes).toEqual(['COMMAND', 'ps']);
  });

  it('makes a container on the spot when none is ready', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, index) => sh(pool, `echo ${index}; echo $HOSTNAME`)),
    );
    const lines = results.map(({ stdout }) => stdout.toString().split('\n'));
    expect(lines.map(([index]) => index)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(new Set(lines.map(([, name]) => name)).size).toBe(6);
    await pool.ready();
    expect(pool.available).toBe(1);
  });

  it('tells the truth of a container in list() and inspect() while it waits and while it runs', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    const [ready] = await test.runtime.containers.list();
    expect(ready?.state.status).toBe('starting');
    const running = sh(pool, 'echo $A; sleep 0.7', { env: { A: 'b' } });
    const container = await test.runtime.containers.get(ready?.id as string);
    await vi.waitFor(async () => expect((await container.inspect()).state.status).toBe('running'));
    const { options } = await container.inspect();
    expect(options).toMatchObject({ command: ['sh', '-c', 'echo $A; sleep 0.7'], env: ['A=b'] });
    const beside = await container.exec(['sh', '-c', 'echo $A']);
    expect(beside.stdout.toString()).toBe('b\n');
    expect((await running).stdout.toString()).toBe('b\n');
  });

  it('keeps its containers from being removed by others', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    const [ready] = await test.runtime.containers.list();
    const container = await test.runtime.containers.get(ready?.id as string);
    for (const force of [false, true])
      await expect(container.remove({ force })).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_RUNNING' });
    expect((await test.runtime.containers.prune()).removed).toEqual([]);
    expect((await sh(pool, 'echo ok')).stdout.toString()).toBe('ok\n');
  });

  it('tells why a program could not be run, and goes on', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    await expect(pool.run(['no-such-program'])).rejects.toMatchObject({ code: 'HAKO_ERR_COMMAND_NOT_FOUND' });
    await expect(pool.run(['sh', '-c', 'yes'], { maxOutput: 1000 })).rejects.toMatchObject({
      code: 'HAKO_ERR_OUTPUT_TOO_LARGE',
    });
    await expect(pool.run(['true'], { workingDirectory: '/bin/sh' })).rejects.toMatchObject({ code: /HAKO_ERR/ });
    expect((await sh(pool, 'echo on')).stdout.toString()).toBe('on\n');
  });

  it('ends the program when the signal is aborted', async () => {
    await using pool = await test.runtime.containers.pool({ image });
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = pool.run(['sleep', '100'], { signal: controller.signal });
    await delay(100);
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    await expect(pool.run(['true'], { signal: controller.signal })).rejects.toBe(reason);
  });

  it('replaces one that was killed while it waited, when it is next asked', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 2 });
    await pool.ready();
    const pids = waiting();
    expect(pids.length).toBe(2);
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    await vi.waitFor(() => expect(pool.available).toBe(0));
    expect(warnings.length).toBe(2);
    expect(warnings[0]).toContain('could not keep a container ready');
    await delay(100);
    expect(pool.available).toBe(0); // it does not spin
    expect((await sh(pool, 'echo ok')).stdout.toString()).toBe('ok\n');
    await pool.ready();
    expect(pool.available).toBe(2);
  });

  it('runs the program elsewhere when the container that it got was killed that very moment', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    const [pid] = waiting();
    process.kill(Number(pid), 'SIGKILL');
    expect((await sh(pool, 'echo ok')).stdout.toString()).toBe('ok\n');
  });

  it('tells when no more containers can be made, and goes on when they can', async () => {
    const { runtime } = test;
    const source = join(test.root, 'volume');
    mkdirSync(source);
    await using pool = await runtime.containers.pool({
      image,
      size: 1,
      mounts: [{ type: 'bind', source, target: '/mnt' }],
    });
    rmSync(source, { recursive: true });
    await pool.run(['true']);
    await vi.waitFor(() => expect(warnings.length).toBe(1));
    await expect(pool.run(['true'])).rejects.toMatchObject({ operation: 'bind' });
    await expect(pool.ready()).rejects.toMatchObject({ operation: 'bind' });
    mkdirSync(source);
    await pool.ready();
    expect((await pool.run(['true'])).exitCode).toBe(0);
  });

  it('is not made when its containers cannot be', async () => {
    const { containers } = test.runtime;
    for (const [options, code] of [
      [{ image: 'none:such' }, 'HAKO_ERR_IMAGE_NOT_FOUND'],
      [{ image, size: 0 }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, size: 1001 }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, command: ['true'] }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, detached: true }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, namespaces: { pid: 'container:x' } }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, nonsense: 1 }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, mounts: [{ type: 'bind', source: '/no/such', target: '/x' }] }, 'HAKO_ERR_INVALID_OPTION'],
      [{ image, user: 'nobody-here' }, 'HAKO_ERR_INVALID_USER'],
    ] as const)
      await expect(containers.pool(options as never)).rejects.toMatchObject({ code });
    expect(await containers.list()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('refuses what run cannot take', async () => {
    await using pool = await test.runtime.containers.pool({ image, size: 1 });
    for (const call of [
      () => pool.run([]),
      () => pool.run('true' as never),
      () => pool.run(['true'], { env: { '': 'x' } }),
      () => pool.run(['true'], { workingDirectory: 'relative' }),
      () => pool.run(['tr\0ue']),
      () => pool.run(['true'], { user: 'x' } as never),
      () => pool.ready({ signal: 1 } as never),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    await expect(pool.run(['x'.repeat(9 << 20)])).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
    expect((await pool.run(['true'])).exitCode).toBe(0);
  });

  it('ends what runs, and leaves nothing, when it is closed', async () => {
    const pool = await test.runtime.containers.pool({ image, size: 3 });
    const running = pool.run(['sleep', '100']);
    const late = pool.run(['sleep', '100']);
    await delay(50);
    await Promise.all([pool.close(), pool.close()]);
    expect((await running).exitCode).toBe(137);
    expect((await late).exitCode).toBe(137);
    await expect(pool.run(['true'])).rejects.toMatchObject({ code: 'HAKO_ERR_POOL_CLOSED' });
    await expect(pool.ready()).rejects.toMatchObject({ code: 'HAKO_ERR_POOL_CLOSED' });
    expect(waiting()).toEqual([]);
    expect(await test.runtime.containers.list()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it.each([0, 3, 30])('closes with its runtime, %i ms after it was made', async (pause) => {
    await using other = await openRuntime();
    const pool = await other.runtime.containers.pool({ image, size: 4 });
    const running = pool.run(['sleep', '100']).catch((error: unknown) => error);
    await delay(pause);
    await other.runtime.close();
    expect(await running).toMatchObject(pause === 0 ? {} : { exitCode: 137 });
    expect(waiting()).toEqual([]);
    expect(readdirSync(join(other.root, 'containers'))).toEqual([]);
    expect(existsSync(join(other.root, 'trash')) ? readdirSync(join(other.root, 'trash')) : []).toEqual([]);
  });
});
