#!/usr/bin/env node
// Lays out what is published, each folder ready for `npm pack` or `npm publish`:
//   build/npm/linux-<arch>-<libc>/   the prebuilt native parts
//   build/npm/libhako/               the package, which names them as optional dependencies
// The clone's own package.json does not name them: before they are published `npm ci` would look for them in vain.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const targets = ['x64-gnu', 'x64-musl', 'arm64-gnu', 'arm64-musl'];
const parts = ['hako.node', 'hako-supervisor', 'hako-worker'];

const { values: options } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: targets },
    // Take the parts from there instead of cross-compiling: `build/native` for those of this machine's own compiler.
    from: { type: 'string' },
    out: { type: 'string', default: 'build/npm' },
  },
});
const unknown = options.target.filter((target) => !targets.includes(target));
if (unknown.length > 0) {
  console.error(`--target ${unknown.join(' ')}: write some of ${targets.join(', ')}`);
  process.exit(1);
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Fields of package.json that mean something in a clone only. */
const ofTheClone = ['scripts', 'devDependencies', 'allowScripts', 'overrides'];

function writeManifest(directory, content) {
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

function fresh(name) {
  const directory = resolve(root, options.out, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

function layOutNative(target) {
  const name = `linux-${target}`;
  const source = resolve(root, options.from ?? 'build/release', name);
  const directory = fresh(name);
  for (const part of parts) {
    copyFileSync(join(source, part), join(directory, part));
    chmodSync(join(directory, part), part === 'hako.node' ? 0o644 : 0o755);
  }
  copyFileSync(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  copyFileSync(join(root, 'npm', name, 'README.md'), join(directory, 'README.md'));
  const template = JSON.parse(readFileSync(join(root, 'npm', name, 'package.json'), 'utf8'));
  writeManifest(directory, { ...template, version: manifest.version, engines: manifest.engines });
}

function layOutMain() {
  const directory = fresh('libhako');
  for (const file of manifest.files) {
    if (!existsSync(join(root, file))) throw new Error(`'${file}' is missing: npm run build`);
    cpSync(join(root, file), join(directory, file), { recursive: true });
  }
  // What only a clone needs stays here: a package that has no script runs none when it is installed.
  const published = Object.fromEntries(Object.entries(manifest).filter(([field]) => !ofTheClone.includes(field)));
  const optionalDependencies = Object.fromEntries(
    targets.map((target) => [`@libhako/linux-${target}`, manifest.version]),
  );
  writeManifest(directory, { ...published, optionalDependencies });
}

if (options.from === undefined) {
  const wanted = options.target.flatMap((target) => ['--target', target]);
  execFileSync(
    process.execPath,
    [join(root, 'scripts/build-native.mjs'), '--release', '--out', 'build/release', ...wanted],
    { stdio: 'inherit' },
  );
  // What was compiled from a file that is gone must not be published.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}
for (const target of options.target) layOutNative(target);
layOutMain();
console.log(`laid out in ${options.out}: libhako ${options.target.map((target) => `linux-${target}`).join(' ')}`);
