// Installs what the tests need, as root on Debian and its like; quick when it is there already. Elsewhere it says what
// is missing, and the tests that need it name it when they are skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian's package, and the program (on the PATH) or file that shows it is there. */
const wanted = [
  ['gcc', 'gcc'],
  ['g++', 'g++'],
  ['musl-tools', 'musl-gcc'],
  ['clang', 'clang'],
  ['libclang-rt-14-dev', /^\/usr\/lib\/clang\/[^/]+\/lib\/linux\/libclang_rt\.fuzzer-/],
  ['busybox-static', 'busybox'],
  ['runc', 'runc'],
  ['crun', 'crun'],
  ['bubblewrap', 'bwrap'],
  ['uidmap', 'newuidmap'],
  ['skopeo', 'skopeo'],
  ['umoci', 'umoci'],
  ['strace', 'strace'],
  ['libseccomp-dev', '/usr/include/seccomp.h'],
  ['libcap2-bin', 'capsh'],
  ['attr', 'setfattr'],
  ['debootstrap', 'debootstrap'],
  ['libarchive-tools', 'bsdtar'],
  ['nftables', 'nft'],
  ['iproute2', 'ip'],
  ['qemu-user', 'qemu-aarch64'],
  ['qemu-system-x86', 'qemu-system-x86_64'],
  ['python3-pip', 'pip3'],
  ['redis-server', 'redis-server'],
  ['postgresql', '/usr/lib/postgresql'],
];

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

function present(sign) {
  if (sign instanceof RegExp) return clangRuntimes().some((path) => sign.test(path));
  if (sign.startsWith('/')) return existsSync(sign);
  return searchPath.some((directory) => directory !== '' && existsSync(join(directory, sign)));
}

function clangRuntimes() {
  const base = '/usr/lib/clang';
  if (!existsSync(base)) return [];
  return readdirSync(base).flatMap((version) => {
    const directory = join(base, version, 'lib/linux');
    return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
  });
}

function run(command, args) {
  const { status } = spawnSync(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
}

const missing = wanted.filter(([, sign]) => !present(sign)).map(([name]) => name);
if (missing.length > 0 && process.getuid?.() === 0 && present('apt-get')) {
  console.log(`installing ${missing.join(' ')}`);
  run('apt-get', ['update', '-qq']);
  if (!run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing])) {
    // One package that this release does not have is no reason to go without the others.
    for (const name of missing) run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name]);
  }
}
const still = wanted.filter(([, sign]) => !present(sign)).map(([name]) => name);
if (still.length > 0) console.log(`not installed here, so some tests are skipped: ${still.join(' ')}`);
