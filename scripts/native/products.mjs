// The three native parts: which sources each is made of.
import { linkSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BuildError } from './build-error.mjs';
import { archive, compile, linkTo, root, sourcesIn } from './compile.mjs';

export const productNames = ['hako-supervisor', 'hako-worker', 'hako.node'];

const programs = { 'hako-supervisor': 'native/supervisor', 'hako-worker': 'native/worker' };
const shared = ['native/common', 'native/seccomp'];
const napiIncludes = ['-isystem', 'node_modules/node-api-headers/include', '-isystem', 'node_modules/node-addon-api'];

function requireSources(directory, extension, product) {
  const sources = sourcesIn(directory, extension);
  if (sources.length === 0)
    throw new BuildError(`${product} has no sources yet: there is no ${directory}/*${extension}.`);
  return sources;
}

async function buildProgram(product, toolchain, options) {
  const name = toolchain.programName ?? toolchain.name;
  const directory = programs[product];
  const sources = [...requireSources(directory, '.c', product), ...(toolchain.programExtra ?? [])];
  const own = await compile(name, toolchain.program, sources, options);
  const common = await compile(name, toolchain.program, sourcesIn('native/common', '.c'), options);
  const inputs = common.length === 0 ? own : [...own, await archive(`${name}/common.a`, toolchain.ar, common, options)];
  return linkTo(
    join(options.out, `linux-${toolchain.arch}`, product),
    toolchain.program.cc,
    toolchain.program.ldflags,
    inputs,
    options,
  );
}

async function buildAddon(toolchain, options) {
  const name = `${toolchain.name}-pic`;
  const withHeaders = { ...options, includes: napiIncludes };
  const own = await compile(
    name,
    toolchain.addon,
    [...requireSources('native/addon', '.cc', 'hako.node'), ...sourcesIn('native/addon', '.c')],
    withHeaders,
  );
  const common = await compile(
    name,
    toolchain.addon,
    shared.flatMap((directory) => sourcesIn(directory, '.c')),
    options,
  );
  const inputs = common.length === 0 ? own : [...own, await archive(`${name}/common.a`, toolchain.ar, common, options)];
  const output = join(options.out, `linux-${toolchain.arch}-${toolchain.libc}`, 'hako.node');
  return linkTo(output, toolchain.addon.cxx, toolchain.addon.ldflags, inputs, options);
}

/** The loader looks for the three in one directory; the static programs are the same file for both libcs. */
function place(path, directory) {
  const target = join(root, directory, basename(path));
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  linkSync(path, target);
}

export async function buildProducts(toolchain, options) {
  const wanted = options.only ?? productNames;
  for (const name of wanted) {
    if (!productNames.includes(name)) throw new BuildError(`--only ${name}: write some of ${productNames.join(', ')}.`);
  }
  const directory = join(options.out, `linux-${toolchain.arch}-${toolchain.libc}`);
  const failures = [];
  // One part that does not compile is no reason to leave out the other two.
  for (const name of wanted) {
    try {
      if (name === 'hako.node') await buildAddon(toolchain, options);
      else place(await buildProgram(name, toolchain, options), directory);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new BuildError(failures.join('\nhako: '));
}
