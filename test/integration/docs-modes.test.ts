import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { thisHost } from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';

const host = await thisHost();
const project = fileURLToPath(new URL('../..', import.meta.url));
const page = 'docs/privilege-modes.md';

const check = (directory: string): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, ['scripts/docs-modes.mjs', '--check'], { cwd: directory });

describeWith(
  {
    root: true,
    tools: ['cc', 'unshare'],
    paths: [built.entry],
    other: () => (host.userNamespaces.supported ? undefined : host.userNamespaces.reason),
  },
  'the table of privilege modes',
  () => {
    test('is what containers of each mode report', async () => {
      await expect(check(project)).resolves.toMatchObject({ stdout: '' });
    });

    test('the positive control: a table that says otherwise is told', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'hako-docs-'));
      try {
        for (const part of ['docs', 'scripts', 'test/native/probe.c', 'package.json'])
          cpSync(join(project, part), join(directory, part), { recursive: true });
        for (const part of ['dist', 'build', 'node_modules']) symlinkSync(join(project, part), join(directory, part));
        const text = readFileSync(join(directory, page), 'utf8');
        writeFileSync(join(directory, page), text.replace('| seccomp filter | no |', '| seccomp filter | yes |'));
        await expect(check(directory)).rejects.toThrow(/not current: run npm run docs:modes/);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  },
);
