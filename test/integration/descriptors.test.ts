import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { sourceCommand } from '../support/source-process.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

const run = promisify(execFile);

describeWith({ root: true, tools: ['busybox'] }, 'a process without descriptors', () => {
  it('takes no container for lost or abandoned, and goes on when there are some again', async () => {
    await using test = await openRuntime();
    const { containers } = test.runtime;
    const running = await containers.create({ image, name: 'running', command: ['sleep', '60'] });
    await running.start();
    await containers.create({ image, name: 'ephemeral', ephemeral: true });
    const child = sourceCommand('starved-child.ts', [test.root]);
    const { stdout } = await run('sh', ['-c', 'ulimit -n 200; exec "$@"', 'sh', ...child]);
    const { seen, states, warnings } = JSON.parse(stdout) as Record<string, unknown>;
    expect(seen).toBe('EMFILE');
    expect(states).toEqual([
      ['ephemeral', 'created'],
      ['running', 'running'],
    ]);
    expect(warnings).toEqual(['It cannot be seen which other runtimes have the root open.']);
    expect((await running.inspect()).state.status).toBe('running');
    expect(await containers.list()).toHaveLength(2);
  });
});
