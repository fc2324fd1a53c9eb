import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type { Container } from 'libhako';
import { normal } from 'libhako/plugins/privilege/normal';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkHttp } from '../../src/container/health/http-check.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const healthOf = async (container: Container) => (await container.inspect()).health;
const patient = { timeout: 15_000 };
const often = { interval: 0.05, timeout: 0.5, retries: 1 };

describeWith({ root: true, tools: ['busybox'] }, 'health checks by HTTP', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());
  type Options = Omit<Parameters<TestRuntime['runtime']['containers']['create']>[0], 'image'>;
  /** A server of which each connection is a shell command. */
  const serve = async (script: string, options: Options) => {
    const container = await test.runtime.containers.create({
      image,
      command: ['sh', '-c', `printf '%s' "$0" > /serve; exec nc -ll -p 8080 -e /bin/sh /serve`, script],
      ...options,
    });
    await container.start();
    return container;
  };
  const answer = (status: string, body = 'well') =>
    `cat > /dev/null & printf 'HTTP/1.1 ${status}\\r\\nconnection: close\\r\\n\\r\\n${body}'`;
  const becomes = async (container: Container, status: string) => {
    await expect.poll(async () => (await healthOf(container))?.status, patient).toBe(status);
    const result = (await healthOf(container))?.log.at(-1);
    await container.remove({ force: true });
    return result;
  };

  it('asks a server that nothing else could reach, in every mode', async () => {
    for (const mode of ['normal', 'privileged'] as const) {
      const container = await serve(answer('204 No Content', ''), {
        mode,
        healthcheck: { http: { port: 8080 }, ...often },
      });
      expect(await becomes(container, 'healthy')).toMatchObject({ exitCode: 0, output: '204 No Content\n' });
    }
    const own = await serve(answer('200 OK'), {
      mode: normal({ userns: 'auto' }),
      healthcheck: { http: { port: 8080 }, ...often },
    });
    expect(await becomes(own, 'healthy')).toMatchObject({ exitCode: 0 });
  });

  it("asks on the host's network where the container is on that", async () => {
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const container = await test.runtime.containers.create({
      image,
      command: ['sleep', '60'],
      namespaces: { network: 'host' },
      healthcheck: { http: { port }, ...often },
    });
    await container.start();
    expect(await becomes(container, 'healthy')).toMatchObject({ exitCode: 0 });
    server.close();
  });

  it('goes by the status, follows no redirect, and tells what a failure says', async () => {
    const check = (status: string, http: object) =>
      serve(answer(status), { healthcheck: { http: { port: 8080, ...http }, ...often } });
    const moved = await check('302 Found', {});
    expect(await becomes(moved, 'healthy')).toMatchObject({ exitCode: 0, output: '302 Found\n' });
    const failed = await check('503 Service Unavailable', {});
    expect(await becomes(failed, 'unhealthy')).toMatchObject({ exitCode: 1, output: '503 Service Unavailable\nwell' });
    const unexpected = await check('200 OK', { status: [201, 299] });
    expect(await becomes(unexpected, 'unhealthy')).toMatchObject({ exitCode: 1, output: '200 OK\nwell' });
    const exact = await check('418 Teapot', { status: 418 });
    expect(await becomes(exact, 'healthy')).toMatchObject({ exitCode: 0 });
  });

  it('tells that nothing listens, and that what listens speaks another language', async () => {
    const silent = await serve('exit', { healthcheck: { http: { port: 8081 }, ...often } });
    const refused = await becomes(silent, 'unhealthy');
    expect(refused).toMatchObject({ exitCode: -1, output: expect.stringContaining('localhost:8081') });
    const other = await serve('echo SSH-2.0-nothing', { healthcheck: { http: { port: 8080 }, ...often } });
    expect(await becomes(other, 'unhealthy')).toMatchObject({
      exitCode: -1,
      output: expect.stringMatching(/Parse Error/),
    });
    const switched = await serve(
      `printf 'HTTP/1.1 101 Switching\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n'`,
      {
        healthcheck: { http: { port: 8080 }, ...often },
      },
    );
    expect(await becomes(switched, 'unhealthy')).toMatchObject({
      exitCode: -1,
      output: expect.stringContaining('switches'),
    });
  });

  it('refuses what is no request', async () => {
    for (const http of [
      {},
      { port: 0 },
      { port: 80, path: 'healthz' },
      { port: 80, path: '/a b' },
      { port: 80, path: '/\r\nx: y' },
      { port: 80, status: 99 },
      { port: 80, status: [300, 200] },
      { port: 80, headers: { 'a b': 'c' } },
      { port: 80, headers: { a: 'b\r\nc: d' } },
      { port: 80, headers: { 'Content-Length': '5' } },
      { port: 80, headers: { a: 'x'.repeat(20_000) } },
      { port: 80, body: 'x' },
    ])
      await expect(
        test.runtime.containers.create({ image, healthcheck: { http } } as never),
        JSON.stringify(http),
      ).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });
});

/** What a server may do that wishes its prober ill; each connection is the server's to misuse until it is closed. */
const hostile: Readonly<Record<string, (write: (text: string) => boolean, chunk: string) => void>> = {
  'headers without end': (write, chunk) => write(`x: ${chunk}\r\n`),
  'one header without end': (write, chunk) => write(chunk),
  'interim responses without end': (write) => write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(100)),
  'a body without end': (write, chunk) => write(chunk),
};
const beginnings: Readonly<Record<string, string>> = {
  'headers without end': 'HTTP/1.1 200 OK\r\n',
  'one header without end': 'HTTP/1.1 200 OK\r\nx: ',
  'interim responses without end': '',
  'a body without end': 'HTTP/1.1 500 Bad\r\n\r\n',
};

describeWith({}, 'a check by HTTP of a hostile server', () => {
  const probe = async (begin: string, pump: (write: (text: string) => boolean) => void, milliseconds: number) => {
    let sent = 0;
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.write(begin);
      const write = (text: string) => {
        sent += text.length;
        return socket.write(text);
      };
      const turn = () => {
        if (socket.destroyed) return;
        if (socket.writableLength < 1 << 20) pump(write);
        setImmediate(turn);
      };
      turn();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { connect } = await import('node:net');
    const before = process.memoryUsage();
    const check = { port, path: '/', status: [200, 399], headers: {} } as const;
    const finding = await checkHttp(connect(port, '127.0.0.1'), check, AbortSignal.timeout(milliseconds)).catch(
      (error: unknown) => error as Error,
    );
    const after = process.memoryUsage();
    server.close();
    return { finding, sent, grown: after.rss - before.rss };
  };
  const chunk = 'x'.repeat(60_000);

  for (const [name, pump] of Object.entries(hostile))
    it(`ends, with ${name}`, async () => {
      const { finding, grown } = await probe(beginnings[name] ?? '', (write) => pump(write, chunk), 1500);
      if (name === 'a body without end') {
        expect(finding).toMatchObject({ exitCode: 1 });
        expect((finding as { output: string }).output).toHaveLength(4096 + 3);
      } else expect(finding).toBeInstanceOf(Error);
      expect(grown).toBeLessThan(100 << 20);
    });

  it('ends at its time when a server says a byte at a time', async () => {
    const begun = Date.now();
    const { finding } = await probe(
      'HTTP/1.1 200 OK\r\nx: ',
      (write) => void (Math.random() < 0.001 && write('y')),
      300,
    );
    expect(finding).toMatchObject({ name: 'AbortError' });
    expect(Date.now() - begun).toBeLessThan(2000);
  });

  it('does not read the body of what is healthy', async () => {
    const { finding, sent } = await probe('HTTP/1.1 200 OK\r\n\r\n', (write) => write(chunk), 1500);
    expect(finding).toMatchObject({ exitCode: 0, output: '200 OK\n' });
    expect(sent).toBeLessThan(50 << 20);
  });

  it('sends the path and the headers that were asked for', async () => {
    const asked: unknown[] = [];
    const server = createServer(({ method, url, headers }, response) => {
      asked.push(method, url, headers);
      response.end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { connect } = await import('node:net');
    const check = { port, path: '/ready?x=1', status: [200, 200], headers: { Host: 'app', 'X-Probe': 'yes' } } as const;
    expect(await checkHttp(connect(port, '127.0.0.1'), check, AbortSignal.timeout(2000))).toMatchObject({
      exitCode: 0,
    });
    expect(asked).toMatchObject(['GET', '/ready?x=1', { host: 'app', 'x-probe': 'yes', connection: 'close' }]);
    server.close();
  });
});
