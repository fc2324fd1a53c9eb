// Objects, archives and links, each made again only when something that went into it has changed.
// Everything is written under a temporary name and renamed, since several builds may run in one tree.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuildError } from './build-error.mjs';

/** The project's folder. */
export const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

export function sourcesIn(directory, extension) {
  const path = join(root, directory);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(directory, name));
}

function run(argv, { verbose }) {
  if (verbose) console.log(argv.join(' '));
  return new Promise((done, reject) => {
    execFile(argv[0], argv.slice(1), { cwd: root, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim();
      if (error !== null) {
        reject(new BuildError(`${argv[0]} failed (${error.code}): ${argv.at(-1)}\n${said}`));
        return;
      }
      if (said !== '') console.error(said);
      done();
    });
  });
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
}

function dependenciesOf(depFile) {
  if (!existsSync(depFile)) return undefined;
  const text = readFileSync(depFile, 'utf8').replaceAll('\\\n', ' ');
  return text
    .slice(text.indexOf(':') + 1)
    .split(/\s+/)
    .filter((name) => name !== '');
}

/** Makes `output` by `command` unless it is newer than all `inputs` and was made by the same command. */
async function make(output, inputs, command, options) {
  const stamp = join(root, 'build/obj/commands', relative(root, output));
  const hash = createHash('sha256')
    .update(JSON.stringify(command('OUT', 'DEP')))
    .digest('hex');
  const upToDate =
    existsSync(output) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === hash &&
    inputs?.every((input) => modified(resolve(root, input)) <= modified(output));
  if (upToDate) return false;
  mkdirSync(dirname(output), { recursive: true });
  const temporary = join(dirname(output), `.${process.pid}.${basename(output)}`);
  const temporaryDep = `${temporary}.d`;
  const began = new Date();
  try {
    await run(command(temporary, temporaryDep), options);
    // A source may be saved while the compiler reads it: what comes out is no newer than the moment it began.
    utimesSync(temporary, began, began);
    if (existsSync(temporaryDep)) renameSync(temporaryDep, `${output}.d`);
    renameSync(temporary, output);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, hash);
  } finally {
    rmSync(temporary, { force: true });
    rmSync(temporaryDep, { force: true });
  }
  return true;
}

async function each(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), items.length) }, worker));
  return results;
}

/** Compiles `sources` into build/obj/<name>/; gives the objects' paths. */
export function compile(name, compiler, sources, options) {
  return each(sources, async (source) => {
    const output = join(root, 'build/obj', name, `${source}.o`);
    const isCxx = source.endsWith('.cc');
    const [driver, flags] = isCxx ? [compiler.cxx, compiler.cxxflags] : [compiler.cc, compiler.cflags];
    const command = (out, dep) => [
      ...driver,
      ...flags,
      `-ffile-prefix-map=${root}=.`,
      '-Inative',
      ...(options.includes ?? []),
      '-MMD',
      '-MF',
      dep,
      '-c',
      '-o',
      out,
      source,
    ];
    await make(output, dependenciesOf(`${output}.d`), command, options);
    return output;
  });
}

/** Objects in an archive are linked only where something needs them. */
export async function archive(name, ar, objects, options) {
  const output = join(root, 'build/obj', name);
  const inputs = objects.map((object) => relative(root, object));
  await make(output, inputs, (out) => [...ar, 'rcs', out, ...inputs], options);
  return output;
}

/** Links `output`; says so when it did. */
export async function linkTo(output, driver, ldflags, inputs, options) {
  const path = join(root, output);
  const names = inputs.map((input) => relative(root, input));
  const strip = options.release ? ['-s'] : [];
  const made = await make(path, names, (out) => [...driver, '-o', out, ...names, ...ldflags, ...strip], options);
  if (made) console.log(`built ${output} (${Math.round(statSync(path).size / 1024)} KiB)`);
  return path;
}
