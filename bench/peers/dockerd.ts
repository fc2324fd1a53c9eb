import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Absent } from '../contest.ts';
import type { Workbench } from '../workbench.ts';

const image = 'hako-bench:busybox';

/** A dockerd of its own, with its own containerd, root and socket and no network, driven over its API. */
export class Dockerd {
  readonly #daemon: ChildProcess;
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(daemon: ChildProcess, socket: string) {
    this.#daemon = daemon;
    this.#socket = socket;
  }

  static async start(bench: Workbench): Promise<Dockerd> {
    const dockerd = bench.program('dockerd');
    for (const needed of ['containerd', 'containerd-shim-runc-v2', 'runc']) bench.program(needed);
    const directory = join(bench.directory, 'dockerd');
    mkdirSync(directory, { recursive: true });
    const socket = join(directory, 'docker.sock');
    const log = openSync(join(directory, 'dockerd.log'), 'w');
    const daemon = spawn(
      dockerd,
      [
        ...[
          '--data-root',
          join(directory, 'data'),
          '--exec-root',
          join(directory, 'exec'),
          '--pidfile',
          join(directory, 'pid'),
        ],
        ...[
          '--host',
          `unix://${socket}`,
          '--bridge=none',
          '--iptables=false',
          '--ip6tables=false',
          '--ip-forward=false',
          '--ip-masq=false',
        ],
      ],
      {
        stdio: ['ignore', log, log],
        env: {
          ...process.env,
          PATH: `${join(process.env['HOME'] ?? '/root', 'go/bin')}:${process.env['PATH']}:/usr/sbin:/sbin`,
        },
      },
    );
    const self = new Dockerd(daemon, socket);
    try {
      await self.#ready(join(directory, 'dockerd.log'));
      await self.#importImage(bench);
    } catch (error) {
      await self.close();
      throw error;
    }
    return self;
  }

  async #ready(log: string): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      if (this.#daemon.exitCode !== null)
        throw new Absent(`dockerd does not start here: ${readFileSync(log, 'utf8').trim().split('\n').at(-1)}`);
      if (existsSync(this.#socket)) {
        const answered = await this.call('GET', '/_ping').then(
          () => true,
          () => false,
        );
        if (answered) return;
      }
      await delay(100);
    }
    throw new Absent('dockerd did not answer within 30 s');
  }

  async #importImage(bench: Workbench): Promise<void> {
    const tar = join(bench.directory, 'rootfs.tar');
    execFileSync('tar', ['-C', bench.rootfs, '-cf', tar, '.']);
    const [repository, tag] = image.split(':');
    await this.call('POST', `/images/create?fromSrc=-&repo=${repository}&tag=${tag}`, createReadStream(tar));
  }

  /** One request of the Engine API; an answer that is no success is an error. */
  call(method: string, path: string, body?: object | Readable): Promise<string> {
    return new Promise((resolve, reject) => {
      const stream = body !== undefined && 'pipe' in body ? body : undefined;
      const text = body === undefined || stream !== undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined
          ? stream === undefined
            ? {}
            : { 'content-type': 'application/x-tar' }
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const sent = request({ socketPath: this.#socket, agent: this.#agent, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 400) resolve(answer);
          else reject(new Error(`dockerd: ${method} ${path}: ${response.statusCode} ${answer.trim()}`));
        });
      });
      sent.on('error', reject);
      if (stream !== undefined) stream.pipe(sent);
      else sent.end(text);
    });
  }

  async create(
    argv: readonly string[],
    log: { driver: string; options?: Record<string, string> } = { driver: 'json-file' },
  ): Promise<string> {
    const answer = await this.call('POST', '/containers/create', {
      Image: image,
      Cmd: argv,
      Env: ['PATH=/bin'],
      HostConfig: { NetworkMode: 'none', LogConfig: { Type: log.driver, Config: log.options ?? {} } },
    });
    return JSON.parse(answer).Id;
  }

  /** To the end of `wait`, which answers when the output is in the log. */
  async startAndWait(id: string): Promise<void> {
    const waited = this.call('POST', `/containers/${id}/wait?condition=next-exit`);
    await this.call('POST', `/containers/${id}/start`);
    const { StatusCode } = JSON.parse(await waited);
    if (StatusCode !== 0) throw new Error(`dockerd: the container ended with ${StatusCode}`);
  }

  async exec(id: string, argv: readonly string[]): Promise<void> {
    const { Id } = JSON.parse(
      await this.call('POST', `/containers/${id}/exec`, { Cmd: argv, AttachStdout: true, AttachStderr: true }),
    );
    // It answers when the exec's output ends, with its exit.
    await this.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
    const { ExitCode } = JSON.parse(await this.call('GET', `/exec/${Id}/json`));
    if (ExitCode !== 0) throw new Error(`dockerd: the exec ended with ${ExitCode}`);
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=1`);
  }

  async inspect(id: string): Promise<{ LogPath: string; State: { Pid: number } }> {
    return JSON.parse(await this.call('GET', `/containers/${id}/json`));
  }

  /** SIGTERM ends its containerd too; its mounts go with the private mount namespace that the bench runs in. */
  async close(): Promise<void> {
    this.#agent.destroy();
    if (this.#daemon.exitCode !== null || this.#daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#daemon.once('exit', resolve));
    this.#daemon.kill('SIGTERM');
    await Promise.race([ended, delay(15_000)]);
    this.#daemon.kill('SIGKILL');
  }
}
