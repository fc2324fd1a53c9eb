import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { directory, file, tar } from '../support/tar.ts';
import { binding, files, Scratch, unpack } from './support/worker-process.ts';
import { Worker } from '../../src/native/worker.ts';

test('smoke', async () => {
  using scratch = new Scratch();
  const r = await unpack(tar(directory('d', 0o700), file('d/a', 'hello')), scratch.path);
  console.log(r);
  expect(readFileSync(`${scratch.path}/d/a`, 'utf8')).toBe('hello');
  const w = await Worker.open(binding, files.worker);
  console.log(await w.usage(scratch.path, null));
  console.log(await w.copyTree(`${scratch.path}/d`, `${scratch.path}/e`, null));
  await w.removeTree(`${scratch.path}/d`, null);
  expect(() => statSync(`${scratch.path}/d`)).toThrow();
  await expect(w.copyTree(`${scratch.path}/d`, `${scratch.path}/e`, null)).rejects.toThrow();
  await expect(unpack(Buffer.from('garbage'.repeat(1000)), scratch.path)).rejects.toThrow('checksum');
});
