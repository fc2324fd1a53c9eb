import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { processPrivileges } from '../../src/container/process-privileges.ts';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

const modes = [
  ['normal', { driver: 'normal', options: {} }],
  ['normal with ids of its own', { driver: 'normal', options: { userns: 'auto' } }],
  ['privileged', { driver: 'privileged', options: {} }],
  ['rootless', { driver: 'rootless', options: {} }],
] as const;

test('of a process that is gone, nothing is told', () => {
  expect(processPrivileges(2 ** 22)).toBeNull();
});

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'what inspect() tells of isolation', () => {
  let opened: TestRuntime;
  beforeAll(async () => {
    opened = await openRuntime();
    chmodSync(dirname(opened.root), 0o711);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  test.each(modes)('%s: what was planned is what the kernel says of the first process', async (_, mode) => {
    const settings = { mode, capabilities: { add: ['SYS_CHROOT'], drop: ['NET_RAW'] } };
    await using container = await opened.runtime.containers.create({
      image: busyboxImage,
      command: ['sleep', '1000'],
      ephemeral: true,
      ...settings,
    });
    expect((await container.inspect()).isolation.process).toBeNull();
    await container.start();
    const { isolation } = await container.inspect();
    const { process: granted } = isolation;
    const sorted = (names: readonly string[]): readonly string[] => [...names].sort();
    for (const set of ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const)
      expect([set, sorted(granted?.capabilities[set] ?? [])]).toEqual([set, sorted(isolation.capabilities[set])]);
    expect(isolation.capabilities.effective).not.toContain('CAP_NET_RAW');
    expect(granted).toMatchObject({
      noNewPrivileges: isolation.noNewPrivileges,
      seccomp: isolation.seccomp === 'unconfined' ? 'none' : 'filter',
      uidMap: isolation.idMappings?.uid ?? [{ containerId: 0, hostId: 0, size: 2 ** 32 - 1 }],
      gidMap: isolation.idMappings?.gid ?? [{ containerId: 0, hostId: 0, size: 2 ** 32 - 1 }],
    });
    for (const { what, why, remedy } of isolation.degraded)
      expect([what, why, remedy].every((text) => text.length > 5)).toBe(true);
  });
});
