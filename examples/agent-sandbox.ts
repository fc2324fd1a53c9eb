/**
 * Where the tools of an AI agent run: a container that lives as long as the conversation, with the host's programs and a
 * workspace, without a network; each call of a tool is an exec with a time limit.
 *
 *     node dist/examples/agent-sandbox.js
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Container, HakoError, Image, Runtime } from 'libhako';

export interface ToolResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the model should be told besides. */
  readonly note?: string;
}

const workspace = '/workspace';
const nobody = 65_534;

export class Sandbox implements AsyncDisposable {
  readonly #container: Container;
  #outOfMemory = 0;

  private constructor(container: Container) {
    this.#container = container;
    container.on('oom', ({ kills }) => {
      this.#outOfMemory = kills;
    });
  }

  static async open(runtime: Runtime, { memory = '512m' } = {}): Promise<Sandbox> {
    const container = await runtime.containers.create({
      image: Image.fromHost(),
      // The first process has to reap what others leave behind, as a shell does.
      command: ['sh', '-c', 'while :; do sleep 60; done'],
      user: `${nobody}:${nobody}`,
      readonlyRoot: true,
      capabilities: { drop: ['ALL'] },
      workingDirectory: workspace,
      env: { HOME: workspace },
      mounts: [
        { type: 'tmpfs', target: workspace, size: '256m' },
        { type: 'tmpfs', target: '/tmp', size: '64m' },
      ],
      resources: { memory, cpus: 1, pids: 128 },
      ephemeral: true,
    });
    await container.start();
    return new Sandbox(container);
  }

  /** Runs a command for the shell. What it has not finished in its time is killed, with all that it has started. */
  async run(command: string, { seconds = 30 } = {}): Promise<ToolResult> {
    const signal = AbortSignal.timeout(seconds * 1000);
    const before = this.#outOfMemory;
    try {
      const result = await this.#container.exec(['bash', '-c', command], { signal, maxOutput: 100_000 });
      const note = 'Something of it needed more memory than there is, and was killed.';
      const killed = this.#outOfMemory > before ? { note } : {};
      return { exitCode: result.exitCode, stdout: `${result.stdout}`, stderr: `${result.stderr}`, ...killed };
    } catch (error) {
      const tooMuch = error instanceof HakoError && error.code === 'HAKO_ERR_OUTPUT_TOO_LARGE';
      if (!tooMuch && !signal.aborted) throw error;
      // Everything but the first process, which keeps the container.
      await this.#container.exec(['bash', '-c', 'kill -9 -1']);
      const note = tooMuch
        ? 'It printed too much, and was killed.'
        : `It took longer than ${seconds} s, and was killed.`;
      return { exitCode: null, stdout: '', stderr: '', note };
    }
  }

  /** Files by their names in the workspace. */
  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    const own = Object.entries(files).map(([name, content]) => [name, { content, uid: nobody, gid: nobody }]);
    await this.#container.copyIn({ files: Object.fromEntries(own) }, workspace);
  }

  async read(path: string): Promise<Buffer> {
    const directory = await mkdtemp(join(tmpdir(), 'hako-sandbox-'));
    try {
      // A link would be copied as a link, and what it names on the host is none of the agent's business.
      const { type } = await this.#container.statPath(posix.resolve(workspace, path));
      if (type !== 'file') throw new Error(`'${path}' is no regular file.`);
      await this.#container.copyOut(posix.resolve(workspace, path), join(directory, 'file'));
      return await readFile(join(directory, 'file'));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#container.close();
  }
}

async function demonstrate(): Promise<void> {
  await using runtime = await Runtime.open();
  await using sandbox = await Sandbox.open(runtime);
  await sandbox.write({ 'count.py': 'print(sum(range(101)), file=open("answer.txt", "w"))' });
  console.log(await sandbox.run('python3 count.py && ls'));
  console.log(`${await sandbox.read('answer.txt')}`.trim());
  console.log(await sandbox.run('sleep 60', { seconds: 1 }));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await demonstrate().catch((error: unknown) => {
    if (!(error instanceof HakoError)) throw error;
    // Such as limits that an ordinary user has to be given first.
    console.error(error.message);
    process.exitCode = 1;
  });
}
