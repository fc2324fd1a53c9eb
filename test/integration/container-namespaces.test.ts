import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime } from '../support/test-runtime.ts';

/** Kinds as options name them, and as /proc does. */
const files = { network: 'net', pid: 'pid', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' } as const;
type Kind = keyof typeof files;
const kinds = Object.keys(files) as readonly Kind[];

/** busybox's readlink takes one name. */
const printLinks = ['sh', '-c', `for file in ${Object.values(files).join(' ')}; do readlink /proc/self/ns/$file; done`];

function parseLinks(stdout: Buffer): Partial<Record<Kind, string>> {
  const links = stdout.toString().trim().split('\n');
  return Object.fromEntries(kinds.map((kind, index) => [kind, links[index]]));
}

describeWith({ root: true, tools: ['busybox'] }, 'a container that shares namespaces', () => {
  it('shares those that it names, with another container or with the host, and no other', async () => {
    await using test = await openRuntime();
    const { containers } = test.runtime;
    const first = await containers.create({ image, name: 'first', command: ['sleep', '60'] });
    await first.start();
    const theirs = parseLinks((await first.exec(printLinks)).stdout);
    const seen = async (namespaces: Partial<Record<Kind, 'container:first' | 'host'>>) =>
      parseLinks((await test.runtime.run({ image, command: printLinks, namespaces })).stdout);

    for (const joined of kinds) {
      const own = await seen({ [joined]: 'container:first' });
      const shared = kinds.filter((kind) => own[kind] === theirs[kind]);
      expect(shared).toEqual([joined]);
      const withHost = await seen({ [joined]: 'host' });
      const host = kinds.filter((kind) => withHost[kind] === readlinkSync(`/proc/self/ns/${files[kind]}`));
      expect(host).toEqual([joined]);
    }
    expect(await seen(Object.fromEntries(kinds.map((kind) => [kind, 'container:first'])))).toEqual(theirs);
  });

  it('is refused while the other does not run', async () => {
    await using test = await openRuntime();
    await test.runtime.containers.create({ image, name: 'idle', command: ['sleep', '60'] });
    const joining = { image, command: ['true'], namespaces: { network: 'container:idle' } } as const;
    await expect(test.runtime.run(joining)).rejects.toMatchObject({ code: 'HAKO_ERR_CONTAINER_NOT_RUNNING' });
  });
});
