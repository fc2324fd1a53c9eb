import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Container, HakoError, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const rejection = async (promise: Promise<unknown>): Promise<HakoError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HakoError);
  return error as HakoError;
};

/** Starts a container, and waits for its first output: its traps are set. */
async function ready(container: Container): Promise<void> {
  const { stdout } = await container.start({ attach: { stdout: true, stderr: false } });
  await once(stdout, 'data');
}

describeWith({ root: true, tools: ['busybox'] }, 'the life of a container', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('runs a program, gathers its output and leaves nothing', async () => {
    const result = await test.runtime.run({ image, command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    expect(result).toMatchObject({ exitCode: 7, signal: null, oomKilled: false });
    expect(result.stdout.toString()).toBe('out\n');
    expect(result.stderr.toString()).toBe('err\n');
    expect(await test.runtime.containers.list()).toEqual([]);
    expect(readdirSync(join(test.root, 'containers'))).toEqual([]);
  });

  it('feeds stdin', async () => {
    const { stdout } = await test.runtime.run({ image, command: ['cat'], input: 'x'.repeat(300_000) });
    expect(stdout.length).toBe(300_000);
  });

  it('goes through created, running, exited, and starts again', async () => {
    await using events = recorded(test.runtime);
    const container = await test.runtime.containers.create({
      image,
      name: 'life',
      command: ['sh', '-c', 'echo $$; sleep 0.1; exit 3'],
    });
    expect((await container.inspect()).state).toEqual({ status: 'created' });
    const exits: number[] = [];
    container.on('exit', ({ exitCode }) => exits.push(exitCode));
    const deaf = () => exits.push(-1);
    container.on('exit', deaf).off('exit', deaf);
    for (let round = 1; round <= 2; round++) {
      await container.start();
      expect((await container.inspect()).state.status).toBe('running');
      expect((await container.wait()).exitCode).toBe(3);
      expect((await container.inspect()).state).toMatchObject({
        status: 'exited',
        exitCode: 3,
        signal: null,
        oomKilled: false,
      });
    }
    expect(exits).toEqual([3, 3]);
    await container.remove();
    expect((await rejection(container.inspect())).code).toBe('HAKO_ERR_CONTAINER_NOT_FOUND');
    expect(events.names).toEqual([
      'container:create',
      'container:start',
      'container:exit',
      'container:start',
      'container:exit',
      'container:remove',
    ]);
  });

  it('keeps what was written from one start to the next', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'echo x >> /kept; wc -l < /kept'],
      ephemeral: true,
    });
    await container.start();
    await container.wait();
    const attachment = await container.start({ attach: {} });
    const chunks = await attachment.stdout.toArray();
    expect(Buffer.concat(chunks).toString()).toBe('2\n');
  });

  it('refuses to start what runs, to remove what runs, and a name that is taken', async () => {
    await using container = await test.runtime.containers.create({
      image,
      name: 'busy',
      command: ['sleep', '60'],
      ephemeral: true,
    });
    await container.start();
    expect((await rejection(container.start())).code).toBe('HAKO_ERR_CONTAINER_ALREADY_STARTED');
    expect((await rejection(container.remove())).code).toBe('HAKO_ERR_CONTAINER_RUNNING');
    expect((await rejection(test.runtime.containers.create({ image, name: 'busy' }))).code).toBe(
      'HAKO_ERR_CONTAINER_NAME_IN_USE',
    );
    await container.remove({ force: true });
  });

  it('stops by the signal, and kills after the timeout', async () => {
    const polite = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'trap "exit 5" TERM; touch /ready; while :; do sleep 0.05; done'],
    });
    await polite.start();
    // Process 1 is sent no signal that it has no handler for.
    await expect.poll(async () => (await polite.exec(['ls', '/'])).stdout.toString()).toContain('ready');
    expect(await polite.stop({ timeout: 10 })).toMatchObject({ exitCode: 5, signal: null });
    await polite.remove();

    const stubborn = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'],
    });
    await ready(stubborn);
    expect(await stubborn.stop({ timeout: 0.2 })).toMatchObject({ exitCode: 137, signal: 9 });
    await stubborn.remove();
  });

  it('execs with user, environment, directory and stdin', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sleep', '60'],
      env: { A: '1' },
      ephemeral: true,
    });
    await container.start();
    const result = await container.exec(['sh', '-c', 'id -u; id -g; id -G; echo $A$B; pwd; exit 4'], {
      user: 'app',
      env: { B: '2' },
      workingDirectory: '/home/app',
    });
    expect(result.exitCode).toBe(4);
    expect(result.stdout.toString()).toBe('1000\n1000\n1000 10 50\n12\n/home/app\n');
    const cat = await container.startExec(['cat'], { stdin: true });
    cat.stdin.end('through');
    expect(Buffer.concat(await cat.stdout.toArray()).toString()).toBe('through');
    expect((await cat.exited).exitCode).toBe(0);
    expect((await rejection(container.exec(['no-such-program']))).code).toBe('HAKO_ERR_COMMAND_NOT_FOUND');
    expect((await rejection(container.exec(['/etc/passwd']))).code).toBe('HAKO_ERR_COMMAND_NOT_EXECUTABLE');
  });

  it('feeds an exec all that it is to read, and refuses one that nobody could feed', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sleep', '100'],
      ephemeral: true,
    });
    await container.start();
    const { stdout } = await container.exec(['cat'], { input: 'fed' });
    expect(stdout.toString()).toBe('fed');
    await expect(container.exec(['cat'], { stdin: true })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  it.each(['normal', 'rootless'])('joins one namespace of another container, in the mode %s', async (mode) => {
    const common = { image, mode, ephemeral: true };
    // The mode's root is somebody else outside, who has to come by.
    chmodSync(dirname(test.root), 0o711);
    await using one = await test.runtime.containers.create({ ...common, command: ['sleep', '100'] });
    await one.start();
    for (const kind of ['pid', 'ipc', 'uts', 'network'] as const) {
      const file = kind === 'network' ? 'net' : kind;
      const link = ['readlink', `/proc/self/ns/${file}`];
      const { stdout, stderr } = await test.runtime.run({
        ...common,
        command: link,
        namespaces: { [kind]: { container: one.id } },
      });
      expect(stderr.toString(), kind).toBe('');
      expect(stdout, kind).toEqual((await one.exec(link)).stdout);
    }
  });

  it('aborts a run and an exec with the reason that was given', async () => {
    const reason = new Error('enough');
    await expect(
      test.runtime.run({ image, command: ['sleep', '60'], signal: AbortSignal.timeout(300) }),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(test.runtime.run({ image, command: ['true'], signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    await using container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    await container.start();
    const aborter = new AbortController();
    const exec = await container.startExec(['sleep', '60'], { signal: aborter.signal });
    aborter.abort(reason);
    expect(await exec.exited).toMatchObject({ exitCode: 137, signal: 9 });
  });

  it('attaches several readers to one program', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'read line; echo "got $line"'],
      stdin: true,
      ephemeral: true,
    });
    const first = await container.start({ attach: { stdin: true } });
    const second = await container.attach();
    first.stdin.end('word\n');
    for (const attachment of [first, second])
      expect(Buffer.concat(await attachment.stdout.toArray()).toString()).toBe('got word\n');
  });

  it('gives a terminal its size, and a new one', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'stty size; read x; stty size'],
      tty: true,
      stdin: true,
      terminalSize: { rows: 30, columns: 90 },
      ephemeral: true,
    });
    const attachment = await container.start({ attach: { stdin: true } });
    let output = '';
    attachment.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await expect.poll(() => output).toContain('30 90');
    attachment.resize({ rows: 40, columns: 100 });
    attachment.stdin.write('\n');
    await attachment.exited;
    expect(output).toContain('40 100');
  });

  it('rolls everything back when a program cannot be started', async () => {
    const container = await test.runtime.containers.create({ image, command: ['nothing-here'] });
    expect((await rejection(container.start())).code).toBe('HAKO_ERR_COMMAND_NOT_FOUND');
    expect((await container.inspect()).state).toEqual({ status: 'created' });
    await container.remove();
    expect(readdirSync(join(test.root, 'containers'))).toEqual([]);
  });

  it('is found by name, id and the beginning of an id', async () => {
    const container = await test.runtime.containers.create({ image, name: 'findable' });
    for (const name of ['findable', container.id, container.id.slice(0, 12)])
      expect((await test.runtime.containers.get(name)).id).toBe(container.id);
    expect((await rejection(test.runtime.containers.get('nobody'))).code).toBe('HAKO_ERR_CONTAINER_NOT_FOUND');
    await container.remove();
  });

  it('keeps an image that a container needs', async () => {
    const container = await test.runtime.containers.create({ image });
    expect((await rejection(test.runtime.images.remove(image))).code).toBe('HAKO_ERR_IMAGE_IN_USE');
    await container.remove();
  });

  it('shows where the root lies, and mounts it on the host when asked to', async () => {
    await using container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', 'echo hi > /note; sleep 60'],
      hostMount: true,
      ephemeral: true,
    });
    await container.start();
    const { graphDriver } = await container.inspect();
    const { LowerDir, UpperDir, WorkDir, MergedDir } = graphDriver.data;
    expect(graphDriver.name).toBe('overlay2');
    expect(LowerDir?.split(':')[0]).toMatch(/-init\/diff$/);
    for (const path of [...(LowerDir ?? '').split(':'), UpperDir ?? '', WorkDir ?? '', MergedDir ?? ''])
      expect(existsSync(path), path).toBe(true);
    await expect.poll(() => existsSync(join(MergedDir ?? '', 'note'))).toBe(true);
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'several runtimes', () => {
  it('share a root, in one process', async () => {
    await using test = await openRuntime();
    await using other = await Runtime.open({ root: test.root });
    const container = await test.runtime.containers.create({ image, command: ['sh', '-c', 'echo here; sleep 60'] });
    await container.start();
    const seen = await other.containers.get(container.name);
    expect((await seen.exec(['echo', 'x'])).stdout.toString()).toBe('x\n');
    const exit = new Promise((resolve) => seen.on('exit', resolve));
    await seen.kill();
    expect(await exit).toMatchObject({ exitCode: 137 });
    expect(await seen.wait()).toMatchObject({ exitCode: 137 });
    await seen.remove();
    expect(await test.runtime.containers.list()).toEqual([]);
  });

  it('find a detached container again, with its log and exit', async () => {
    await using test = await openRuntime();
    const second = await Runtime.open({ root: test.root });
    const made = await second.containers.create({
      image,
      name: 'survivor',
      command: ['sh', '-c', 'echo before; while [ ! -e /go ]; do sleep 0.02; done; echo after; exit 9'],
      detached: true,
    });
    await made.start();
    await second.close();

    await using third = await Runtime.open({ root: test.root });
    const found = await third.containers.get('survivor');
    expect((await found.inspect()).state.status).toBe('running');
    await found.exec(['touch', '/go']);
    expect((await found.wait()).exitCode).toBe(9);
    const lines: string[] = [];
    for await (const entry of found.logs()) lines.push(Buffer.from(entry.line).toString());
    expect(lines).toEqual(['before', 'after']);
    await found.remove();
  });

  it('end what is not detached when they close', async () => {
    await using test = await openRuntime();
    const second = await Runtime.open({ root: test.root });
    const container = await second.containers.create({ image, name: 'mortal', command: ['sleep', '60'] });
    await container.start();
    await second.close();
    expect((await (await test.runtime.containers.get('mortal')).inspect()).state).toMatchObject({
      status: 'exited',
      exitCode: 137,
    });
    await (await test.runtime.containers.get('mortal')).remove();
    expect(() => second.containers).toThrow(/closed/);
  });
});

/** The names of a runtime's events from here on. */
function recorded(runtime: Runtime): AsyncDisposable & { readonly names: readonly string[] } {
  const names: string[] = [];
  const stops = (['container:create', 'container:start', 'container:exit', 'container:remove'] as const).map(
    (event) => {
      const listener = () => void names.push(event);
      runtime.on(event, listener);
      return () => runtime.off(event, listener);
    },
  );
  return {
    names,
    [Symbol.asyncDispose]: async () => {
      for (const stop of stops) stop();
    },
  };
}

describeWith({ root: true, tools: ['busybox'] }, 'control groups', () => {
  it('are made again when another runtime has removed their parents, and are all gone at the end', async () => {
    await using test = await openRuntime();
    const { host } = await test.runtime.info();
    const parents = [...new Set(Object.values(host.cgroup.controllers))];
    // Other tests run beside this one: a parent that holds their containers' groups stays.
    const idle = () =>
      parents.filter(
        (parent) =>
          existsSync(parent) && !readdirSync(parent, { withFileTypes: true }).some((entry) => entry.isDirectory()),
      );
    await (await Runtime.open({ root: test.root })).close();
    expect(idle()).toEqual([]);
    expect((await test.runtime.run({ image, command: ['true'] })).exitCode).toBe(0);
    await test.runtime.close();
    expect(idle()).toEqual([]);
  });
});
