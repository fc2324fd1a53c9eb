import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../support/requires.ts';

describeWith({ tools: ['cc'] }, 'what a process tells its supervisor in memory that they share', () => {
  test('is taken for no more than there is room for, whoever has written it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-hostile-report-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const program = join(directory, 'check');
    const flags = [
      '-std=gnu11',
      '-D_GNU_SOURCE',
      '-O1',
      '-g',
      '-fsanitize=address,undefined',
      '-fno-sanitize-recover=all',
    ];
    const sources = [
      'supervisor/handshake.c',
      'supervisor/arena.c',
      'common/fd.c',
      'common/failure.c',
      'common/wire.c',
    ];
    execFileSync(process.env['CC'] ?? 'cc', [
      ...flags,
      '-Inative/supervisor',
      '-o',
      program,
      'test/native/hostile-report-check.c',
      ...sources.map((source) => `native/${source}`),
    ]);
    expect(execFileSync(program, { encoding: 'utf8' })).toBe('-1 15 363\n0 32\n');
  });
});
