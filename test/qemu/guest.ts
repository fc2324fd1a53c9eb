/**
 * The program that runs in the virtual machine: every case by node:test, which prints TAP.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { Image, Runtime } from 'libhako';
import type { Case } from '../support/case.ts';
import { cgroupCases } from '../support/cgroup-cases.ts';
import { thisHost } from '../support/isolated-run.ts';
import { isolationCases } from '../support/isolation-cases.ts';
import { appArmorCases } from './apparmor-cases.ts';
import { delegationCases, runDelegated } from './delegation-cases.ts';
import { lifeCases } from './life-cases.ts';
import { quotaCases } from './quota-cases.ts';
import { resourceCases } from './resource-cases.ts';

/** The whole of hako, on a kernel whose fsconfig(2) cannot name overlay's layers one by one (before 6.8). */
const runtimeCases: readonly Case[] = [
  {
    name: 'a program runs in a container of the host’s own root, by the public API',
    async run() {
      await using runtime = await Runtime.open({ root: '/tmp/hako-runtime' });
      const { exitCode, stdout } = await runtime.run({
        image: Image.fromHost(),
        command: ['/bin/sh', '-c', 'echo $$; cat /proc/self/cgroup; touch /tmp/inside'],
        resources: { memory: '64m' },
      });
      assert.deepEqual([exitCode, stdout.toString()], [0, '1\n0::/\n']);
    },
  },
  {
    name: 'an image is imported, its mount points are made, and a container of it runs',
    async run() {
      mkdirSync('/tmp/rootfs/bin', { recursive: true });
      copyFileSync('/bin/busybox', '/tmp/rootfs/bin/sh');
      await using runtime = await Runtime.open({ root: '/tmp/hako-runtime' });
      const image = await runtime.images.import({ kind: 'rootfs', rootfs: '/tmp/rootfs' }, { reference: 'shell:test' });
      const { exitCode, stdout } = await runtime.run({
        image,
        command: ['/bin/sh', '-c', 'echo x > /kept; cd /proc && pwd'],
      });
      assert.deepEqual([exitCode, stdout.toString()], [0, '/proc\n']);
    },
  },
];

if (process.argv[2] === 'delegated') await runDelegated();
else await runAll();

async function runAll(): Promise<void> {
  const host = await thisHost();
  test('the machine', () => {
    assert.equal(host.cgroup.layout, 'v2');
    assert.deepEqual(host.cgroup.missing, {});
  });

  for (const { name, missing, run } of [
    ...runtimeCases,
    ...resourceCases,
    ...quotaCases,
    ...lifeCases,
    ...cgroupCases(host),
    ...isolationCases({ probe: '/probe', host }),
    ...appArmorCases(host),
    ...delegationCases,
  ]) {
    test(name, { skip: missing?.() ?? false, timeout: 60_000 }, run);
  }
}
