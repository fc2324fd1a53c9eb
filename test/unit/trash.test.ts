import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Trash } from '../../src/base/trash.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-trash-'));
  mkdirSync(join(directory, 'thing'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Fails so often, as where a process that is about to die still writes, and then removes. */
async function takeAll(failures: number): Promise<{ left: readonly string[]; warnings: readonly string[] }> {
  const warnings: string[] = [];
  let left = failures;
  const removeTree = async (path: string) => {
    if (left-- > 0) throw new Error('ENOTEMPTY');
    rmSync(path, { recursive: true });
  };
  const trash = new Trash(join(directory, 'trash'), removeTree, (message) => warnings.push(message), [1, 1, 1, 1]);
  trash.open();
  expect(trash.take(join(directory, 'thing'))).toBe(true);
  await trash[Symbol.asyncDispose]();
  return { left: readdirSync(join(directory, 'trash')), warnings };
}

it('waits for those who still write to what was taken', async () => {
  expect(await takeAll(4)).toEqual({ left: [], warnings: [] });
});

it('leaves to the next what cannot be removed, and says so', async () => {
  const { left, warnings } = await takeAll(Number.POSITIVE_INFINITY);
  expect(left).toHaveLength(1);
  expect(warnings).toEqual([expect.stringContaining('still takes up space')]);
});

it('leaves alone what somebody is just making there', async () => {
  const trash = new Trash(join(directory, 'trash'), async (path) => rmSync(path, { recursive: true }), expect.fail);
  mkdirSync(trash.newPath('mine.'), { recursive: true });
  mkdirSync(trash.newPath(), { recursive: true });
  trash.open(undefined, (name) => !name.startsWith('mine.'));
  await trash[Symbol.asyncDispose]();
  expect(readdirSync(join(directory, 'trash'))).toEqual([expect.stringMatching(/^mine\./)]);
});

it('puts back what it could not be told of whether it is the right one', async () => {
  const trash = new Trash(join(directory, 'trash'), async (path) => rmSync(path, { recursive: true }), expect.fail);
  trash.open();
  const unsure = () => {
    throw new Error('EMFILE');
  };
  expect(() => trash.take(join(directory, 'thing'), unsure)).toThrow('EMFILE');
  expect(readdirSync(directory)).toContain('thing');
  await trash[Symbol.asyncDispose]();
});
