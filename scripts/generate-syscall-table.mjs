#!/usr/bin/env node
// Writes src/seccomp/syscall-table.ts from the kernel's own headers, as zig carries them for every processor.
// Run it again with a newer zig (PyPI: ziglang) to learn of new system calls.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const usage = `usage: generate-syscall-table.mjs [--headers DIR] [--output FILE]
  --headers  a directory with <arch>-linux-any/asm/unistd*.h; that of python's ziglang when left out`;

const { values: options } = parseArgs({
  options: { headers: { type: 'string' }, output: { type: 'string' }, help: { type: 'boolean', default: false } },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

const output = options.output ?? fileURLToPath(new URL('../src/seccomp/syscall-table.ts', import.meta.url));
const headers = options.headers ?? zigHeaders();
const X32_BIT = 0x40000000;

function zigHeaders() {
  const initializer = execFileSync('python3', ['-c', 'import ziglang; print(ziglang.__file__)'], {
    encoding: 'utf8',
  }).trim();
  return join(dirname(initializer), 'lib/libc/include');
}

/** `__NR_name value` of one header; `bases` are the names that a value may be counted from. */
function numbersOf(file, bases = {}, prefix = '__NR_') {
  const numbers = new Map();
  const text = readFileSync(join(headers, file), 'utf8');
  for (const [, name, value] of text.matchAll(new RegExp(`^#define\\s+${prefix}([a-z0-9_]+)\\s+(.+)$`, 'gm'))) {
    const match = /^\(?(?:(\w+)\s*\+\s*)?(0x[0-9a-f]+|\d+)\)?$/i.exec(value.replace(/\/\*.*\*\//, '').trim());
    if (match === null) continue;
    const base = match[1] === undefined ? 0 : bases[match[1]];
    if (base === undefined) throw new Error(`${file}: ${name} is counted from the unknown ${match[1]}`);
    numbers.set(name, base + Number(match[2]));
  }
  if (numbers.size === 0) throw new Error(`${file} defines no system call`);
  return numbers;
}

const armPrivate = 0x0f0000;
const tables = [
  numbersOf('x86-linux-any/asm/unistd_64.h'),
  numbersOf('x86-linux-any/asm/unistd_32.h'),
  numbersOf('x86-linux-any/asm/unistd_x32.h', { __X32_SYSCALL_BIT: X32_BIT }),
  numbersOf('aarch64-linux-any/asm/unistd_64.h'),
  new Map([
    ...numbersOf('arm-linux-any/asm/unistd-eabi.h', { __NR_SYSCALL_BASE: 0 }),
    ...numbersOf('arm-linux-any/asm/unistd.h', { __NR_SYSCALL_BASE: 0, __ARM_NR_BASE: armPrivate }, '__ARM_NR_'),
  ]),
];
// The first number of a range that architectures may use, and no call.
tables[3].delete('arch_specific_syscall');
// asm/unistd.h names arm_sync_file_range a second time.
tables[4].set('sync_file_range2', tables[4].get('arm_sync_file_range'));

const names = [...new Set(tables.flatMap((table) => [...table.keys()]))].sort();
const entries = names.map((name) => [name, ...tables.map((table) => table.get(name) ?? '-')].join(' '));

function wrap(items) {
  const lines = [''];
  for (const item of items) {
    const line = lines.at(-1);
    if (line.length + item.length + 2 > 118) lines.push(item);
    else lines[lines.length - 1] = line === '' ? item : `${line}, ${item}`;
  }
  return lines.join(',\n');
}

const version = /LINUX_VERSION_MAJOR (\d+)[\s\S]*PATCHLEVEL (\d+)/.exec(
  readFileSync(join(headers, 'any-linux-any/linux/version.h'), 'utf8'),
);
writeFileSync(
  output,
  `// Made by scripts/generate-syscall-table.mjs from the headers of Linux ${version[1]}.${version[2]}; not to be edited.

/** Name, then its number on x86_64, x86, x32 (with bit 30), aarch64 and arm; \`-\` where there is no such call. */
export const syscallTable = \`
${wrap(entries)}
\`;
`,
);
console.log(`${names.length} names: ${tables.map((table) => table.size).join(', ')}`);
