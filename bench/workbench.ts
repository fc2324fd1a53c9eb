import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Absent } from './contest.ts';

const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Before the PATH: where the user has a newer peer, and where bench/peers.sh puts the newest. */
const extraDirectories = [process.env['HAKO_BENCH_PEERS'], join(process.env['HOME'] ?? '/root', 'go/bin')];

function program(name: string): string {
  const directories = [...extraDirectories, ...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const directory of directories) {
    if (directory !== undefined && directory !== '' && existsSync(join(directory, name))) return join(directory, name);
  }
  throw new Absent(`'${name}' is not installed (bash bench/peers.sh)`);
}

/** The scratch directory of one run: the helpers, and a root filesystem of busybox that every contestant uses. */
export class Workbench implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'hako-bench-'));
  readonly rootfs = join(this.directory, 'rootfs');
  readonly #built = new Set<string>();
  readonly #without: readonly string[];

  /** @param without - peers that are left out. */
  constructor(without: readonly string[]) {
    this.#without = without;
    for (const name of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc'])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    const busybox = join(this.rootfs, 'bin/busybox');
    copyFileSync(this.program('busybox'), busybox);
    chmodSync(busybox, 0o755);
    for (const applet of ['sh', 'true', 'sleep', 'cat']) symlinkSync('busybox', join(this.rootfs, 'bin', applet));
    copyFileSync(this.helper('lines'), join(this.rootfs, 'bin/lines'));
    // An unprivileged dockerd or hako may need to read it.
    chmodSync(this.directory, 0o755);
  }

  /** The path of an installed program. Throws {@link Absent} when there is none, or it was to be left out. */
  program(name: string): string {
    if (this.#without.includes(name)) throw new Absent('left out by --without');
    return program(name);
  }

  /** One of bench/native, compiled as small as it can be: static, by musl-gcc if it is there. */
  helper(name: string): string {
    const output = join(this.directory, name);
    if (this.#built.has(name)) return output;
    const source = join(projectRoot, 'bench/native', `${name}.c`);
    const flags = ['-O2', '-static', '-o', output, source];
    const triplet = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
    const kernelHeaders = ['/usr/include', `/usr/include/${triplet}`].flatMap((directory) => ['-idirafter', directory]);
    try {
      execFileSync('musl-gcc', [...kernelHeaders, ...flags]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      execFileSync('gcc', flags);
    }
    this.#built.add(name);
    return output;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
