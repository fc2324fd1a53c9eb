import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const modes = [
  ['normal', { driver: 'normal', options: {} }],
  ['normal with ids of its own', { driver: 'normal', options: { userns: 'auto' } }],
  ['privileged', { driver: 'privileged', options: {} }],
  ['rootless', { driver: 'rootless', options: {} }],
] as const;

// ".." goes up to whatever lies over a directory: an old root that was left over the new one would be found so.
const look = 'stat -c "%d %i" / /.. /etc/.. /../..; ls -a /.. | wc -l; ls -a / | wc -l';

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'the root of a container', () => {
  let opened: TestRuntime;
  beforeAll(async () => {
    opened = await openRuntime();
    // Root inside a rootless container is somebody else, who has to come here.
    chmodSync(dirname(opened.root), 0o711);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  test.each(modes)('%s: nothing of the host lies over it, where .. would lead', async (_, mode) => {
    const { stdout } = await opened.runtime.run({ image: busyboxImage, command: ['sh', '-c', look], mode });
    const [root, ...others] = stdout.toString().trim().split('\n');
    expect(others.slice(0, 3)).toEqual([root, root, root]);
    expect(others[3]).toBe(others[4]);
  });

  test('the positive control: with something mounted over it, the same look finds that', async () => {
    const script = `mount -t tmpfs none / && ${look}`;
    const { stdout } = await opened.runtime.run({
      image: busyboxImage,
      command: ['sh', '-c', script],
      mode: { driver: 'privileged', options: {} },
    });
    const [root, above] = stdout.toString().split('\n');
    expect(above).not.toBe(root);
  });
});
