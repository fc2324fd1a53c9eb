import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { locateNative } from '../../src/native/loader.ts';
import { findTool } from '../support/requires.ts';

const run = promisify(execFile);

/** What was fetched, once for this clone: Debian's kernel, and its AppArmor parser. */
const cache = resolve('build/qemu-cache');
const kernelPackage = 'linux-image-cloud-amd64';
const modules = ['fs/overlayfs/overlay.ko', 'drivers/block/loop.ko', 'fs/quota/quota_tree.ko', 'fs/quota/quota_v2.ko'];

export const machineTools = [
  'qemu-system-x86_64',
  'mkfs.ext4',
  'apt-get',
  'apt-cache',
  'dpkg-deb',
  'cpio',
  'busybox',
  'ldd',
  'cc',
];

/** A kernel that this machine does not run, with control groups v2 only and AppArmor. */
export class Machine implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'hako-machine-'));

  /** Boots, runs test/qemu/guest.ts, and gives what came over the serial line. */
  async run(timeout: number): Promise<string> {
    const { kernel, root } = await fetchKernel();
    const image = await this.#initramfs(root);
    return await boot(kernel, image, timeout);
  }

  async #initramfs(fetched: string): Promise<string> {
    const root = join(this.#directory, 'root');
    for (const directory of [
      'bin',
      'usr/bin',
      'usr/sbin',
      'proc',
      'sys',
      'dev',
      'tmp',
      'etc',
      'root',
      'native',
      'modules',
      'n',
    ])
      mkdirSync(join(root, directory), { recursive: true });
    // An ordinary user of the machine comes through here, too.
    chmodSync(root, 0o755);
    const busybox = findTool('busybox') ?? '/bin/busybox';
    copyFileSync(realpathSync(busybox), join(root, 'bin/busybox'));
    symlinkSync('busybox', join(root, 'bin/sh'));
    const native = locateNative();
    for (const file of [native.addon, native.supervisor, native.worker])
      copyFileSync(file, join(root, 'native', file.split('/').at(-1) ?? ''));
    for (const [from, to] of [
      [process.execPath, 'usr/bin/node'],
      ['/usr/bin/setpriv', 'usr/bin/setpriv'],
      [join(fetched, 'sbin/apparmor_parser'), 'usr/sbin/apparmor_parser'],
    ] as const) {
      if (existsSync(from)) copyFileSync(realpathSync(from), join(root, to));
    }
    for (const module of modules)
      for (const file of globSync(`lib/modules/*/kernel/${module}`, { cwd: fetched }))
        copyFileSync(join(fetched, file), join(root, 'modules', file.split('/').at(-1) ?? ''));
    copyLibraries(
      root,
      ['usr/bin/node', 'native/hako.node', 'usr/bin/setpriv', 'usr/sbin/apparmor_parser']
        .map((path) => join(root, path))
        .filter((path) => existsSync(path)),
    );
    execFileSync('cc', ['-std=gnu11', '-O1', '-static', '-o', join(root, 'probe'), 'test/native/probe.c']);
    makeQuotaDisk(join(root, 'quota.img'));
    copyFileSync('test/qemu/init.sh', join(root, 'init'));
    chmodSync(join(root, 'init'), 0o755);
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    await bundleGuest(join(root, 'guest.mjs'));
    const image = join(this.#directory, 'initramfs.cpio');
    execFileSync('sh', ['-c', `find . | cpio -o -H newc -R 0:0 --quiet > "$0"`, image], { cwd: root });
    return image;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function bundleGuest(file: string): Promise<void> {
  const alias = { libhako: resolve('src/index.ts'), 'libhako/plugin': resolve('src/plugin.ts') };
  const bundle = await rolldown({
    input: 'test/qemu/guest.ts',
    platform: 'node',
    resolve: { alias },
    transform: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
}

/** A file system with project quotas, which few test machines have. */
function makeQuotaDisk(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 32 * 2 ** 20);
  execFileSync('mkfs.ext4', ['-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', path]);
}

/** The libraries that programs are linked with, at the paths where their loader looks. */
function copyLibraries(root: string, programs: readonly string[]): void {
  for (const program of programs) {
    for (const [path] of execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/\/\S+/g)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      copyFileSync(realpathSync(path), join(root, path));
    }
  }
}

/** By apt, from whatever mirror this machine uses; kept in the build directory, never committed. */
async function fetchKernel(): Promise<{ kernel: string; root: string }> {
  const root = join(cache, 'root');
  if (globSync('boot/vmlinuz-*', { cwd: root }).length === 0) {
    mkdirSync(root, { recursive: true });
    const { stdout } = await run('apt-cache', ['depends', kernelPackage]);
    const real = /Depends: (linux-image-\S+)/.exec(stdout)?.[1] ?? kernelPackage;
    await run('apt-get', ['download', real, 'apparmor'], { cwd: cache });
    for (const file of globSync('*.deb', { cwd: cache })) await run('dpkg-deb', ['-x', join(cache, file), root]);
  }
  const [kernel] = globSync('boot/vmlinuz-*', { cwd: root });
  if (kernel === undefined) throw new Error(`the package ${kernelPackage} holds no kernel`);
  return { kernel: join(root, kernel), root };
}

function boot(kernel: string, image: string, timeout: number): Promise<string> {
  // Emulated always: a machine that offers KVM to its tests is not what users' CI has.
  const args = [
    '-accel',
    'tcg,thread=multi',
    '-cpu',
    'max',
    '-m',
    '1536',
    '-smp',
    '2',
    '-nographic',
    '-no-reboot',
    '-net',
    'none',
    '-kernel',
    kernel,
    '-initrd',
    image,
  ];
  const child = spawn(
    'qemu-system-x86_64',
    [...args, '-append', 'console=ttyS0 quiet panic=-1 psi=1 cgroup_no_v1=all apparmor=1 security=apparmor'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', () => {
      clearTimeout(timer);
      done(Buffer.from(output.replaceAll('\r', ''), 'latin1').toString('utf8'));
    });
  });
}
