// native/fuzz/<name>_fuzz.c → build/fuzz/<name>: each is linked with whatever it uses of the other directories.
import { basename, join } from 'node:path';
import { BuildError } from './build-error.mjs';
import { archive, compile, linkTo, sourcesIn } from './compile.mjs';

const libraries = ['native/common', 'native/seccomp', 'native/supervisor', 'native/worker'];

function nameOf(source) {
  return basename(source).replace(/_fuzz\.c$/, '');
}

export function fuzzTargets() {
  return sourcesIn('native/fuzz', '_fuzz.c').map(nameOf);
}

export async function buildFuzzers(toolchain, options) {
  const sources = sourcesIn('native/fuzz', '_fuzz.c').filter(
    (source) => options.only?.includes(nameOf(source)) ?? true,
  );
  if (sources.length === 0) throw new BuildError('there is no fuzz target of that name: native/fuzz/<name>_fuzz.c.');
  const { name, program, ar } = toolchain;
  const archives = [];
  for (const directory of libraries) {
    // A program's main() is libFuzzer's here.
    const files = sourcesIn(directory, '.c').filter((source) => basename(source) !== 'main.c');
    if (files.length === 0) continue;
    archives.push(
      await archive(`${name}/${basename(directory)}.a`, ar, await compile(name, program, files, options), options),
    );
  }
  const objects = await compile(name, program, sources, options);
  for (const [index, object] of objects.entries()) {
    const grouped = [object, ...archives];
    await linkTo(
      join(options.out ?? 'build/fuzz', nameOf(sources[index])),
      program.cc,
      [...program.ldflags, '-Wl,--start-group', ...archives, '-Wl,--end-group'],
      grouped,
      options,
    );
  }
}
