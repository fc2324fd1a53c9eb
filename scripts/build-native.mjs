#!/usr/bin/env node
// Builds the supervisor, the worker and the addon from native/ into build/.
// Plain JavaScript for any node ≥ 20: npm's `prepare` runs it before anything of ours is compiled.
import { parseArgs } from 'node:util';
import { BuildError } from './native/build-error.mjs';
import { buildFuzzers } from './native/fuzzers.mjs';
import { buildProducts } from './native/products.mjs';
import { fuzzToolchain, hostLibc, hostToolchain, sanitizeToolchain, zigToolchain } from './native/toolchain.mjs';

const usage = `usage: build-native.mjs [--sanitize | --fuzz | --target <x64|arm64>[-<gnu|musl>]] [--release] [--only NAME[,NAME]] [--verbose]
  (no option)   for this machine, with its own compiler     → build/native/linux-<arch>-<libc>/
  --sanitize    with AddressSanitizer and UBSan             → build/native-sanitize/linux-<arch>-<libc>/
  --fuzz        the libFuzzer targets of native/fuzz        → build/fuzz/
  --target      with zig, for that machine; both libcs when none is named → build/native/linux-<arch>-<libc>/
  --release     stripped
  --only        some of: hako-supervisor, hako-worker, hako.node, or names of fuzz targets`;

const { values: options } = parseArgs({
  options: {
    sanitize: { type: 'boolean', default: false },
    fuzz: { type: 'boolean', default: false },
    target: { type: 'string', multiple: true, default: [] },
    release: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function targetsOf(name) {
  const match = /^(x64|arm64)(?:-(gnu|musl))?$/.exec(name);
  if (match === null)
    throw new BuildError(
      `--target ${name}: write x64 or arm64, with -gnu or -musl after it if only one libc is wanted.`,
    );
  const [, arch, libc] = match;
  return (libc === undefined ? ['gnu', 'musl'] : [libc]).map((one) => ({ arch, libc: one }));
}

async function main() {
  if (options.help) return console.log(usage);
  const common = {
    release: options.release,
    verbose: options.verbose,
    only: options.only?.split(','),
    out: options.out,
  };
  if (options.fuzz) return buildFuzzers(fuzzToolchain(), common);
  if (options.sanitize)
    return buildProducts(sanitizeToolchain(), {
      ...common,
      out: options.out ?? 'build/native-sanitize',
    });
  const out = options.out ?? 'build/native';
  if (options.target.length === 0) {
    if (process.platform !== 'linux') {
      console.log(
        'hako: not Linux: the native parts are left out; the TypeScript builds and type-checks without them.',
      );
      return;
    }
    return buildProducts(hostToolchain(hostLibc()), { ...common, out });
  }
  for (const target of options.target.flatMap(targetsOf)) await buildProducts(zigToolchain(target), { ...common, out });
}

try {
  await main();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`hako: ${error.message}`);
  process.exitCode = 1;
}
