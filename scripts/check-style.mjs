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

// npm writes where each package came from unless .npmrc says otherwise.
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
for (const [name, { resolved }] of Object.entries(lock.packages)) {
  if (resolved !== undefined)
    findings.push(`package-lock.json: ${name} has 'resolved': keep omit-lockfile-registry-resolved in .npmrc`);
}

for (const finding of findings) console.error(finding);
console.log(`style: ${tracked.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
