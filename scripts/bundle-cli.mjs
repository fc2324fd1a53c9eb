// Puts the command into few files: node takes longer to find and link some hundred modules than most commands take to
// run. What a command does not need lies in files that it does not load.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
// As deep as what it was made of, so that the package's own files are found from there.
const outdir = 'dist/src/command';
const entry = 'main.js';

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: [`dist/src/cli/${entry}`],
  outdir,
  bundle: true,
  splitting: true,
  chunkNames: 'part-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // Names stay, for stacks in reports of faults.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  write: false,
});

// While it is made anew the command can be run: whole files take the place of whole files, the entry last.
const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
const directory = join(root, outdir);
mkdirSync(directory, { recursive: true });
for (const { name, contents } of files.toSorted(
  (one, other) => Number(one.name === entry) - Number(other.name === entry),
)) {
  const draft = join(directory, `.${name}-${process.pid}`);
  writeFileSync(draft, contents);
  renameSync(draft, join(directory, name));
}
for (const name of readdirSync(directory))
  if (!files.some((file) => file.name === name) && !name.startsWith('.'))
    rmSync(join(directory, name), { force: true });
