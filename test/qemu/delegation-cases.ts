import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Image, Runtime } from 'libhako';
import type { Case } from '../support/case.ts';

const uid = 65_532;
const delegated = '/sys/fs/cgroup/delegated';
const controllers = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

/** What systemd does for `Delegate=yes`: cgroup-v2.rst, "Delegation". */
function delegate(): void {
  writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', controllers.map((name) => `+${name}`).join(' '));
  for (const group of [delegated, `${delegated}/service`]) {
    mkdirSync(group);
    for (const path of [
      group,
      ...['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'].map((file) => `${group}/${file}`),
    ])
      chownSync(path, uid, uid);
  }
}

/** An ordinary user whose service has a control group of its own: the limits of rootless containers are real ones. */
export const delegationCases: readonly Case[] = [
  {
    name: 'an ordinary user to whom a control group was delegated limits the memory of a container',
    missing: () => (existsSync('/usr/bin/setpriv') ? undefined : 'setpriv'),
    async run() {
      delegate();
      const script = `echo $$ > ${delegated}/service/cgroup.procs && exec /usr/bin/setpriv --reuid=${uid} --regid=${uid} --clear-groups --inh-caps=-all node --no-warnings /guest.mjs delegated`;
      const output = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
      assert.deepEqual(JSON.parse(output.trim().split('\n').at(-1) ?? ''), {
        parent: `${delegated}/hako`,
        controllers: ['cpu', 'cpuset', 'freezer', 'io', 'memory', 'pids'],
        limits: ['67108864', '4096'],
        paused: 'paused',
        changed: ['33554432', '7'],
        memory: 33_554_432,
        pressure: 'container',
        oomKilled: true,
      });
    },
  },
];

/** What that user does, in a process of its own. */
export async function runDelegated(): Promise<void> {
  const root = `/tmp/hako-delegated-${process.pid}`;
  mkdirSync(root, { mode: 0o711 });
  {
    await using runtime = await Runtime.open({ root });
    const { unifiedParent, controllers } = (await runtime.info()).host.cgroup;
    await using container = await runtime.containers.create({
      image: Image.fromHost(),
      command: [
        '/bin/sh',
        '-c',
        'trap "dd if=/dev/zero of=/dev/null bs=200M count=1; exit 1" USR1; while :; do sleep 0.1; done',
      ],
      resources: { memory: '64m', memorySwap: '64m' },
      ephemeral: true,
    });
    await container.start();
    const group = `${unifiedParent}/${container.id}`;
    const read = () => ['memory.max', 'pids.max'].map((file) => readFileSync(`${group}/${file}`, 'utf8').trim());
    const limits = read();
    await container.pause();
    const paused = (await container.inspect()).state.status;
    await container.unpause();
    await container.update({ resources: { memory: '32m', memorySwap: '32m', pids: 7 } });
    const changed = read();
    const { memory, pressure } = await container.stats();
    await container.kill('SIGUSR1');
    const { oomKilled } = await container.wait();
    console.log(
      JSON.stringify({
        parent: unifiedParent,
        controllers: Object.keys(controllers).sort(),
        limits,
        paused,
        changed,
        memory: memory.limit,
        pressure: pressure?.scope,
        oomKilled,
      }),
    );
  }
  rmSync(root, { recursive: true });
}
