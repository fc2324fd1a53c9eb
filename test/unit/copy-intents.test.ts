import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CopyIntents } from '../../src/container/files/copy-intents.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-copies-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('tells of copies whose process is gone: not of its own, nor of those that another runtime has seen to', () => {
  const intents = new CopyIntents(directory, expect.fail);
  mkdirSync(directory, { recursive: true });
  const own = intents.begin(null, [{ directory: '/', below: false }]);
  writeFileSync(join(directory, '4194304.1.damaged'), '{');
  // Listed, and gone when it is read.
  symlinkSync('nowhere', join(directory, '4194304.1.gone'));
  const left = intents.left();
  expect(left.map(({ intent }) => intent)).toEqual([null]);
  for (const each of left) each.forget();
  own.end();
  expect(readdirSync(directory)).toEqual(['4194304.1.gone']);
});
