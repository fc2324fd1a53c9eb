import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Dockerd } from '../../bench/peers/dockerd.ts';
import type { Workbench } from '../../bench/workbench.ts';

const image = 'hako-bench:busybox';
/** Each test file has a dockerd of its own. */
const cgroupParent = `peer-${process.pid}`;
const programs = [
  join(process.env['HOME'] ?? '/root', 'go/bin'),
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
];
const find = (name: string): string | undefined => programs.map((directory) => join(directory, name)).find(existsSync);

/** What is missing for a dockerd of one's own. */
export function withoutDockerd(): string | undefined {
  return ['dockerd', 'containerd', 'containerd-shim-runc-v2', 'runc', 'busybox', 'unshare'].find(
    (name) => find(name) === undefined,
  );
}

/** Docker changes what containers see from one release to the next; these tests know the newest. */
export function withoutRecentDockerd(): string | undefined {
  const missing = withoutDockerd();
  if (missing !== undefined) return missing;
  const [, major] =
    /version (\d+)/.exec(execFileSync(find('dockerd') ?? '', ['--version'], { encoding: 'utf8' })) ?? [];
  return Number(major) >= 29 || major === undefined ? undefined : 'dockerd 29 or newer';
}

/** A dockerd whose mounts are its own, with one image: busybox and the files that are given. */
export class DockerPeer implements AsyncDisposable {
  readonly directory: string;
  readonly #dockerd: Dockerd;

  private constructor(directory: string, dockerd: Dockerd) {
    this.directory = directory;
    this.#dockerd = dockerd;
  }

  /** @param more - adds to the image's files */
  static async start(
    files: Readonly<Record<string, Uint8Array>>,
    more: (rootfs: string) => void = () => {},
  ): Promise<DockerPeer> {
    const directory = mkdtempSync(join(tmpdir(), 'hako-peer-'));
    const rootfs = join(directory, 'rootfs');
    for (const name of ['bin', 'in', 'proc', 'dev', 'sys', 'tmp', 'etc'])
      mkdirSync(join(rootfs, name), { recursive: true });
    copyFileSync(find('busybox') ?? '', join(rootfs, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'sleep', 'seq']) symlinkSync('busybox', join(rootfs, 'bin', applet));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(rootfs, 'in', name), content);
    more(rootfs);
    const init = find('docker-init') ?? find('tini-static');
    const wrapper = join(directory, 'dockerd.sh');
    writeFileSync(
      wrapper,
      `#!/bin/sh\nexec unshare -m --propagation private ${find('dockerd')} --cgroup-parent ${cgroupParent}${init === undefined ? '' : ` --init-path ${init}`} "$@"\n`,
    );
    chmodSync(wrapper, 0o755);
    const workbench = { directory, rootfs, program: (name: string) => (name === 'dockerd' ? wrapper : find(name)) };
    return new DockerPeer(directory, await Dockerd.start(workbench as unknown as Workbench));
  }

  readonly image = image;

  /** For `DOCKER_HOST`. */
  get socket(): string {
    return `unix://${join(this.directory, 'dockerd/docker.sock')}`;
  }

  /** The image's files. */
  get rootfs(): string {
    return join(this.directory, 'rootfs');
  }

  /** What the real `docker` command prints. */
  async docker(...argv: readonly string[]): Promise<string> {
    return (await promisify(execFile)('docker', ['--host', this.socket, ...argv], { maxBuffer: 2 ** 26 })).stdout;
  }

  /** Runs a container to its end, and gives its id and the path of its log. */
  async run(
    argv: readonly string[],
    options: Readonly<Record<string, string>>,
    more: {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly env?: readonly string[];
    },
  ): Promise<{ id: string; logPath: string }> {
    const answer = await this.#dockerd.call('POST', `/containers/create?name=${more.name}`, {
      Image: image,
      Cmd: argv,
      Env: ['PATH=/bin', ...(more.env ?? [])],
      Labels: more.labels ?? {},
      HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: options } },
    });
    const { Id: id } = JSON.parse(answer) as { Id: string };
    await this.#dockerd.startAndWait(id);
    return { id, logPath: (await this.#dockerd.inspect(id)).LogPath };
  }

  /** What `docker logs` prints, both streams in their order. */
  async logs(id: string, query: string): Promise<string> {
    const frames = await this.#get(`/containers/${id}/logs?stdout=1&stderr=1&${query}`);
    let text = '';
    for (let at = 0; at + 8 <= frames.length; at += 8 + frames.readUInt32BE(at + 4))
      text += frames.toString('utf8', at + 8, at + 8 + frames.readUInt32BE(at + 4));
    return text;
  }

  #get(path: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      request({ socketPath: join(this.directory, 'dockerd/docker.sock'), path }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks)));
      })
        .on('error', reject)
        .end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dockerd.close();
    rmSync(this.directory, { recursive: true, force: true });
    for (const controller of readdirSync('/sys/fs/cgroup')) {
      const group = join('/sys/fs/cgroup', controller, cgroupParent);
      if (existsSync(group)) rmdirSync(group);
    }
    if (existsSync(join('/sys/fs/cgroup', cgroupParent))) rmdirSync(join('/sys/fs/cgroup', cgroupParent));
  }
}
