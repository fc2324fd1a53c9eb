// Which compiler makes what, and with which flags. A toolchain is plain data:
// { name, arch, libc, program: {cc, cflags, ldflags}, addon: {cc, cxx, cflags, cxxflags, ldflags}, ar }
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { arch as hostArch } from 'node:os';
import { delimiter, join } from 'node:path';
import { BuildError } from './build-error.mjs';
import { root } from './compile.mjs';

const zigArch = { x64: 'x86_64', arm64: 'aarch64' };
const glibcFloor = '2.28';

// npm's own `prepare` runs on whatever compiler a newcomer has, newer than any that we tried: there a new
// warning must not stop the installation. Everywhere else a warning is an error.
const werror = process.env.npm_lifecycle_event === 'prepare' && process.env.CI === undefined ? [] : ['-Werror'];

const warnings = ['-Wall', '-Wextra', ...werror];
const common = [
  '-O2',
  '-g',
  '-D_FILE_OFFSET_BITS=64',
  '-ffunction-sections',
  '-fdata-sections',
  '-fvisibility=hidden',
  ...warnings,
];
// Written as an empty definition so that a file's own `#define _GNU_SOURCE` is no redefinition.
const c11 = ['-std=gnu11', '-D_GNU_SOURCE='];
const cxx17 = [
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNAPI_VERSION=9',
];
const link = ['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack', '-Wl,--gc-sections'];

function hardening(arch) {
  return [
    '-fstack-protector-strong',
    '-U_FORTIFY_SOURCE',
    '-D_FORTIFY_SOURCE=3',
    '-fstack-clash-protection',
    ...(arch === 'x64' ? ['-fcf-protection=full'] : ['-mbranch-protection=standard']),
  ];
}

function find(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((directory) => directory !== '' && existsSync(join(directory, program)));
}

function ask(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

function nativeArch() {
  const arch = hostArch();
  if (!(arch in zigArch))
    throw new BuildError(`there are no native parts for the processor '${arch}'; hako runs on x64 and arm64.`);
  return arch;
}

/** The C library of the node that runs this, hence of the node that will load the addon. */
export function hostLibc() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu';
}

/** The clone's own compilers: gcc or clang, and musl-gcc where it is installed, which makes the smaller supervisor. */
export function hostToolchain(libc) {
  const arch = nativeArch();
  const cc = process.env.CC ?? ['gcc', 'clang', 'cc'].find(find);
  const cxx = process.env.CXX ?? ['g++', 'clang++', 'c++'].find(find);
  if (cc === undefined || cxx === undefined) {
    throw new BuildError(
      'a C and C++ compiler is needed to build from a clone; install one (Debian, Ubuntu: apt-get install gcc g++ musl-tools; Fedora: dnf install gcc gcc-c++ glibc-static; Alpine: apk add build-base linux-headers) and run `npm run build` again.',
    );
  }
  const musl = libc === 'gnu' && find('musl-gcc');
  return {
    name: musl ? 'host-musl' : 'host',
    arch,
    libc,
    ar: ['ar'],
    program: {
      cc: [musl ? 'musl-gcc' : cc],
      cflags: [...common, ...c11, ...hardening(arch), '-fno-pie', ...(musl ? kernelHeaders(cc) : [])],
      ldflags: [...link, '-static'],
    },
    addon: addonWith([cc], [cxx], arch, ['-static-libgcc', '-static-libstdc++', '-Wl,--exclude-libs,ALL']),
  };
}

// musl-gcc hides the system's include directories, and the kernel's headers are among them.
function kernelHeaders(cc) {
  const triplet = ask(cc, ['-print-multiarch']);
  return ['/usr/include', ...(triplet ? [`/usr/include/${triplet}`] : [])].flatMap((directory) => [
    '-idirafter',
    directory,
  ]);
}

function addonWith(cc, cxx, arch, staticRuntime) {
  const shared = [...common, ...hardening(arch), '-fPIC'];
  return {
    cc,
    cxx,
    cflags: [...shared, ...c11],
    cxxflags: [...shared, ...cxx17, '-fvisibility-inlines-hidden'],
    // Node unloads an addon with the last thread that has it: not while a thread of its own runs in it.
    ldflags: [...link, '-Wl,-z,nodelete', '-shared', ...staticRuntime, '-lpthread'],
  };
}

/** zig (PyPI: ziglang) carries both libcs for both processors, so a release is made on one machine. */
export function zigToolchain({ arch, libc }) {
  const zig = find('zig') ? ['zig'] : ['python3', '-m', 'ziglang'];
  if (ask(zig[0], [...zig.slice(1), 'version']) === undefined) {
    throw new BuildError(
      `zig is needed for --target ${arch}; install it with \`pip install ziglang\` (add --break-system-packages on Debian) and run this again.`,
    );
  }
  const target = (abi) => ['-target', `${zigArch[arch]}-linux-${abi}`];
  const cc = (abi) => [...zig, 'cc', ...target(abi)];
  const cxx = (abi) => [...zig, 'c++', ...target(abi)];
  const addonAbi = libc === 'gnu' ? `gnu.${glibcFloor}` : 'musl';
  return {
    name: `zig-${arch}-${libc}`,
    // The programs are the same for both libcs: one set of objects.
    programName: `zig-${arch}`,
    arch,
    libc,
    ar: [...zig, 'ar'],
    program: {
      cc: cc('musl'),
      cflags: [...common, ...c11, ...hardening(arch), '-fno-pie'],
      ldflags: [...link, '-static'],
    },
    // zig links its own libc++ into what it makes, hidden.
    addon: addonWith(cc(addonAbi), cxx(addonAbi), arch, []),
  };
}

/** Where the sanitizers of a supervisor or worker write what they find. */
export const sanitizerReports = join(root, 'build/native-sanitize/reports');

/** gcc's sanitizers, or clang's: the addon needs the runtime preloaded into node, see `preload`. */
export function sanitizeToolchain() {
  const arch = nativeArch();
  const candidates = [
    { cc: 'gcc', cxx: 'g++', library: 'libasan.so', flags: [] },
    { cc: 'clang', cxx: 'clang++', library: `libclang_rt.asan-${zigArch[arch]}.so`, flags: ['-shared-libasan'] },
  ];
  for (const { cc, cxx, library, flags } of candidates) {
    if (!find(cc) || !find(cxx)) continue;
    const preload = ask(cc, [`-print-file-name=${library}`]);
    if (preload === undefined || !existsSync(preload)) continue;
    const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', ...flags];
    const base = [...common.filter((flag) => flag !== '-O2'), '-O1', ...sanitize];
    return {
      name: 'sanitize',
      arch,
      libc: hostLibc(),
      ar: ['ar'],
      preload,
      programExtra: ['native/sanitize/options.c'],
      program: {
        cc: [cc],
        cflags: [...base, ...c11, `-DHAKO_SANITIZER_LOG="${join(sanitizerReports, 'report')}"`],
        ldflags: sanitize,
      },
      addon: {
        cc: [cc],
        cxx: [cxx],
        cflags: [...base, ...c11, '-fPIC'],
        // -fsanitize=vptr, part of `undefined`, needs the rtti that the addon goes without.
        cxxflags: [...base, ...cxx17, '-fno-sanitize=vptr', '-fPIC'],
        ldflags: [...sanitize, '-shared', '-lpthread'],
      },
    };
  }
  throw new BuildError(
    'gcc with libasan, or clang with compiler-rt, is needed for --sanitize; install one (Debian, Ubuntu: apt-get install gcc g++ libgcc-12-dev) and run this again.',
  );
}

/** libFuzzer comes with clang only. */
export function fuzzToolchain() {
  const arch = nativeArch();
  const runtime = find('clang') ? ask('clang', [`-print-file-name=libclang_rt.fuzzer-${zigArch[arch]}.a`]) : undefined;
  if (runtime === undefined || !existsSync(runtime)) {
    throw new BuildError(
      'clang with libFuzzer is needed for --fuzz; install it (Debian, Ubuntu: apt-get install clang libclang-rt-14-dev) and run this again.',
    );
  }
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  const base = [...common.filter((flag) => flag !== '-O2'), '-O1', ...c11];
  return {
    name: 'fuzz',
    arch,
    ar: ['ar'],
    program: {
      cc: ['clang'],
      cflags: [...base, ...sanitize, '-fsanitize=fuzzer-no-link', '-DHAKO_FUZZ'],
      ldflags: [...sanitize, '-fsanitize=fuzzer'],
    },
  };
}
