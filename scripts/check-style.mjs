// What no linter knows: the length of files, and what must never be committed.
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const longest = 400;
const code = /\.(ts|mjs|c|h|cc)$/;
// Asked for, so that this file names none.
const npmRegistry = new URL(execFileSync('npm', ['config', 'get', 'registry'], { cwd: root, encoding: 'utf8' }).trim())
  .host;
const namesRegistry = (text) => text.includes(npmRegistry) || /https?:\/\/registry\./.test(text);
// In pieces, so that this file does not hold what it forbids.
const marker = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true);

const findings = tracked.flatMap((path) => {
  const text = readFileSync(join(root, path), 'latin1');
  const found = [];
  if (namesRegistry(text)) found.push(`${path}: names the host of a package registry`);
  if (!code.test(path)) return found;
  const lines = text.split('\n').length - 1;
  if (lines > longest) found.push(`${path}: ${lines} lines; a file has ${longest} at most`);
  if (new RegExp(`\\b(${marker.source})\\b`).test(text)) found.push(`${path}: something is left to do in it`);
  return found;
});

// npm writes where each package came from unless .npmrc says otherwise, and leaves the packages of other platforms out
// when it writes the lock beside a node_modules that has none of them; `npm ci` refuses such a lock.
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
const locked = new Set(
  Object.keys(lock).map((path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)),
);
for (const [path, { resolved, optionalDependencies = {} }] of Object.entries(lock)) {
  if (resolved !== undefined)
    findings.push(`package-lock.json: ${path} has 'resolved': keep omit-lockfile-registry-resolved in .npmrc`);
  for (const name of Object.keys(optionalDependencies)) {
    if (!locked.has(name))
      findings.push(`package-lock.json: ${name} is missing: make the lock anew in an empty folder`);
  }
}

for (const finding of findings) console.error(finding);
console.log(`style: ${tracked.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
