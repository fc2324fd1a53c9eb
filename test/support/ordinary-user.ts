import { type ExecFileException, execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);
const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Nobody's on Debian: neither a system user nor the first ordinary ones. */
const uid = 23_456;
const name = 'hako-test';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OrdinaryUserOptions {
  /**
   * `helpers`: newuidmap and newgidmap work, with 65,536 subordinate ids. `none`: they are not there, as on a machine
   * where nothing was installed.
   */
  readonly idMapping: 'helpers' | 'none';
}

/**
 * An ordinary user with a home and a copy of the build that they may read: a clone may lie where only root can go.
 * Made by root in a mount namespace of their own, so that the machine's /etc/passwd and /etc/subuid stay as they are.
 */
export class OrdinaryUser implements Disposable {
  readonly #idMapping: OrdinaryUserOptions['idMapping'];
  readonly #directory = mkdtempSync('/tmp/hako-user-');
  readonly home = join(this.#directory, 'home');
  /** Their copy of the project: what `npm ci` and `npm run build` leave, without the sources. */
  readonly project = join(this.#directory, 'project');
  readonly node = join(this.project, 'bin/node');

  constructor(options: OrdinaryUserOptions) {
    this.#idMapping = options.idMapping;
    chmodSync(this.#directory, 0o755);
    mkdirSync(this.home, { mode: 0o700 });
    chownSync(this.home, uid, uid);
    this.#copyProject();
    const etc = join(this.#directory, 'etc');
    mkdirSync(etc);
    writeFileSync(
      join(etc, 'passwd'),
      `${readFileSync('/etc/passwd', 'utf8')}${name}:x:${uid}:${uid}::${this.home}:/bin/sh\n`,
    );
    writeFileSync(join(etc, 'group'), `${readFileSync('/etc/group', 'utf8')}${name}:x:${uid}:\n`);
    for (const file of ['subuid', 'subgid']) writeFileSync(join(etc, file), `${name}:200000:65536\n`);
  }

  #copyProject(): void {
    mkdirSync(this.project);
    for (const part of ['package.json', 'dist', 'build/native'])
      cpSync(join(projectRoot, part), join(this.project, part), { recursive: true });
    const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8'));
    for (const [path, { dev, optional }] of Object.entries(
      lock.packages as Record<string, { dev?: boolean; optional?: boolean }>,
    )) {
      if (path === '' || dev || optional || !existsSync(join(projectRoot, path))) continue;
      cpSync(join(projectRoot, path), join(this.project, path), { recursive: true });
    }
    mkdirSync(dirname(this.node));
    linkOrCopy(process.execPath, this.node);
  }

  /** Runs a program as this user; never throws for an exit status. */
  async run(
    argv: readonly string[],
    options: { cwd?: string; env?: Record<string, string>; timeoutMs?: number } = {},
  ): Promise<Ran> {
    const environment = Object.entries({
      HOME: this.home,
      USER: name,
      PATH: `${dirname(this.node)}:/usr/bin:/bin`,
      LANG: 'C.UTF-8',
      ...options.env,
    });
    const become = [
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      '--inh-caps=-all',
      '--',
      'env',
      '-i',
    ];
    const script = `set -e; ${this.#mounts().join('; ')}; cd "$1"; shift; exec "$@"`;
    const pairs = environment.map(([key, value]) => `${key}=${value}`);
    const args = [
      '--mount',
      '--propagation=private',
      'sh',
      '-c',
      script,
      'sh',
      options.cwd ?? this.project,
      ...become,
      ...pairs,
      ...argv,
    ];
    try {
      const { stdout, stderr } = await execFileAsync('unshare', args, {
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
      });
      return { exitCode: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as ExecFileException & { stdout: string; stderr: string };
      return { exitCode: typeof code === 'number' ? code : 255, stdout, stderr };
    }
  }

  #mounts(): string[] {
    const bind = (file: string) => `mount --bind ${join(this.#directory, 'etc', file)} /etc/${file}`;
    const helpers = ['newuidmap', 'newgidmap']
      .map((program) => `/usr/bin/${program}`)
      .filter((path) => existsSync(path));
    if (this.#idMapping === 'none')
      return [bind('passwd'), bind('group'), ...helpers.map((path) => `mount --bind /dev/null ${path}`)];
    // A machine on which nobody has subordinate ids need not have the files.
    return ['passwd', 'group', 'subuid', 'subgid'].flatMap((file) => [`touch /etc/${file}`, bind(file)]);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

// Node is a hundred megabytes: not copied where the file systems are one.
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    chmodSync(to, 0o755);
  }
}
