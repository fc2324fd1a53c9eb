import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningState, Runtime } from 'libhako';
import { type ServiceOptions, startService, useService } from 'libhako/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { startSource } from '../support/source-process.ts';

let directory: string;
let root: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-testing-'));
  root = join(directory, 'root');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const lines = (...text: readonly string[]) => [
  'sh',
  '-c',
  `${text.map((line) => `echo '${line}'`).join(';')}; exec sleep 60`,
];

async function left(): Promise<readonly unknown[]> {
  await using runtime = await Runtime.open({ root });
  return [...(await runtime.containers.list()), ...readdirSync(join(root, 'containers'))];
}

async function ask(path: string, request: string): Promise<string> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.write(request);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}

describeWith({ root: true, tools: ['redis-server', 'redis-cli'] }, 'a redis for a minute', () => {
  const command = ['redis-server', '--save', ''];

  it.each([
    ['a line of its output', { log: /Ready to accept connections/ }],
    ['a program in it', { exec: ['redis-cli', 'ping'] }],
    ['its port', { tcp: 6379 }],
    ['a function', { call: async (box) => (await box.exec(['redis-cli', 'ping'])).stdout.toString() === 'PONG\n' }],
  ] satisfies [string, ServiceOptions['ready']][])('is ready by %s, answers, and goes', async (_name, ready) => {
    {
      await using redis = await startService({ root, command, ready });
      expect((await redis.exec(['redis-cli', 'set', 'key', 'value'])).stdout.toString()).toBe('OK\n');
      expect((await redis.exec(['redis-cli', 'get', 'key'])).stdout.toString()).toBe('value\n');
      expect(await redis.output()).toContain('Redis version');
    }
    expect(await left()).toEqual([]);
  });

  it('is reached from outside by a socket in a directory that both have', async () => {
    const sockets = mkdtempSync(join(directory, 'sockets-'));
    await using redis = await startService({
      root,
      command: ['redis-server', '--port', '0', '--unixsocket', '/sockets/redis.sock', '--save', ''],
      mounts: [{ type: 'bind', source: sockets, target: '/sockets' }],
      ready: { call: () => ask(join(sockets, 'redis.sock'), 'PING\r\n') },
    });
    expect(redis.container.name).not.toBe('');
    expect(await ask(join(sockets, 'redis.sock'), 'ECHO hello\r\n')).toBe('$5\r\nhello\r\n');
  });

  it('goes with its process, killed or not', async () => {
    const sockets = mkdtempSync(join(directory, 'sockets-'));
    const child = startSource('service-child.ts', [root, sockets]);
    const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { id, state } = JSON.parse(said.toString()) as { id: string; state: RunningState };
    expect(await ask(join(sockets, 'redis.sock'), 'PING\r\n')).toBe('+PONG\r\n');
    child.kill('SIGKILL');
    await once(child, 'exit');

    for (let look = 0; look < 200 && existsSync(`/proc/${state.supervisorPid}`); look++) await delay(10);
    expect(existsSync(`/proc/${state.pid}`)).toBe(false);
    expect(existsSync(`/proc/${state.supervisorPid}`)).toBe(false);
    expect(state.cgroups.length).toBeGreaterThan(0);
    expect(state.cgroups.filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(join(root, 'containers', id)), 'its record is there until somebody opens the root').toBe(true);
    expect(await left()).toEqual([]);
  });
});

describeWith({ root: true, paths: ['/usr/lib/postgresql'] }, 'a PostgreSQL for a minute', () => {
  it('is made by its own tools, and answers', async () => {
    const [version = ''] = readdirSync('/usr/lib/postgresql');
    const bin = `/usr/lib/postgresql/${version}/bin`;
    await using postgres = await startService({
      root,
      user: 'postgres',
      env: { PATH: `${bin}:/usr/bin:/bin` },
      command: [
        'sh',
        '-c',
        "initdb -D /tmp/db --no-locale --encoding=UTF8 --auth=trust >/dev/null && exec postgres -D /tmp/db -k /tmp -c listen_addresses=''",
      ],
      ready: { exec: ['pg_isready', '-h', '/tmp'] },
      timeout: 45,
    });
    const query = ['psql', '-h', '/tmp', '-tAc', 'select 6 * 7', 'postgres'];
    const { stdout, stderr } = await postgres.exec(query);
    expect(stderr.toString()).toBe('');
    expect(stdout.toString()).toBe('42\n');
  });
});

describeWith({ root: true }, 'startService', () => {
  it('says what it waited for and what was printed, when the service ends or is late', async () => {
    const ended = startService({ root, command: ['sh', '-c', 'echo no config; exit 3'], ready: { log: 'ready' } });
    await expect(ended).rejects.toMatchObject({
      code: 'HAKO_ERR_SERVICE_NOT_READY',
      message: expect.stringMatching(/ended with exit code 3, while .* 'ready'\. It has printed:\nno config$/),
    });
    const why = new Error('connection refused');
    const call = () => Promise.reject(why);
    const late = startService({ root, command: ['sleep', '60'], ready: { call }, timeout: 0.3 });
    await expect(late).rejects.toMatchObject({
      code: 'HAKO_ERR_SERVICE_NOT_READY',
      message: expect.stringMatching(/was not ready in 0\.3 s.*printed nothing\.$/),
      cause: why,
    });
    const hanging = startService({
      root,
      command: ['sleep', '60'],
      ready: { call: () => new Promise(() => {}) },
      timeout: 0.3,
    });
    await expect(hanging).rejects.toMatchObject({ code: 'HAKO_ERR_SERVICE_NOT_READY' });
    expect(await left()).toEqual([]);
  });

  it('gives up by a signal', async () => {
    const signal = AbortSignal.timeout(300);
    const given = startService({ root, command: ['sleep', '60'], ready: { exec: ['false'] }, signal });
    await expect(given).rejects.toSatisfy((reason) => reason === signal.reason);
    expect(await left()).toEqual([]);
  });

  it('reads lines whole, wherever they were cut', async () => {
    const long = 'x'.repeat(40_000);
    await using service = await startService({
      root,
      command: lines('first', `${long}the end`),
      ready: { log: /xthe end$/ },
    });
    expect(await service.output()).toBe(`first\n${long}the end\n`);
  });

  it('uses a runtime of yours, and leaves it open', async () => {
    await using runtime = await Runtime.open({ root });
    {
      await using service = await startService({ runtime, command: lines('up'), ready: { log: 'up' } });
      expect((await runtime.containers.list()).map(({ id }) => id)).toEqual([service.container.id]);
    }
    expect(await runtime.containers.list()).toEqual([]);
  });

  it('shares one runtime, which closes with the last of them', async () => {
    const claims = () => readdirSync(join(root, 'claims')).length;
    const before = claims();
    const [one, other] = await Promise.all([1, 2].map(() => startService({ root, command: ['sleep', '60'] })));
    expect(claims()).toBe(before + 1);
    await one?.close();
    await one?.close();
    expect((await other?.exec(['true']))?.exitCode).toBe(0);
    await other?.close();
    expect(claims()).toBe(before);
  });

  it('refuses wrong options, and leaves nothing of what could not start', async () => {
    const invalid = { code: 'HAKO_ERR_INVALID_OPTION' };
    for (const wrong of [
      { ready: { port: 1 } },
      { ready: {} },
      { ready: { tcp: 70_000 } },
      { timeout: -1 },
      { runtime: {} },
      { nothing: 1 },
    ])
      await expect(
        startService({ root, command: ['true'], ...wrong } as ServiceOptions),
        JSON.stringify(wrong),
      ).rejects.toMatchObject(invalid);
    await expect(startService({ root, command: ['/no/such'] })).rejects.toMatchObject({
      code: 'HAKO_ERR_COMMAND_NOT_FOUND',
    });
    expect(await left()).toEqual([]);
  });
});

describeWith({ root: true }, 'useService', () => {
  describe('with the hooks of this test runner', () => {
    const service = useService(
      { beforeAll, afterAll },
      {
        get root() {
          return root;
        },
        command: lines('up'),
        ready: { log: 'up' },
      },
    );

    it('is there in the tests', async () => {
      expect(await service().output()).toBe('up\n');
    });
  });

  it('is gone after them', async () => {
    expect(await left()).toEqual([]);
  });

  it('says so when it is asked for too early', () => {
    const never = useService({ beforeAll: () => {}, afterAll: () => {} }, { command: ['true'] });
    expect(never).toThrow(expect.objectContaining({ code: 'HAKO_ERR_SERVICE_NOT_READY' }));
  });
});
