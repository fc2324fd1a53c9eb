// Puts the command into few files: node takes longer to find and link some hundred modules than most commands take to
// run. What a command does not need lies in files that it does not load.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
// As deep as what it was made of, so that the package's own files are found from there.
const outdir = 'dist/src/command';

rmSync(`${root}${outdir}`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ['dist/src/cli/main.js'],
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
});
