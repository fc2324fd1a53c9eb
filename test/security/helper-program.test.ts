/** Catalogue 1A, CVE-2019-5736: the program that the host runs inside a container is not to be written from there. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { locateNative } from '../../src/native/loader.ts';
import { containerProcess, idle } from '../native/support/container.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { execRequest, supervisorPath } from '../native/support/supervisor-process.ts';
import { describeWith } from '../support/requires.ts';
import { openRuntime } from '../support/test-runtime.ts';

const hashOf = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const hash = (path: string): string => hashOf(readFileSync(path));

/** What a container has of programs is a link to the program that executes it: whoever is sent in runs himself. */
const decoy = 'usleep';
const bait = [decoy, '300000'] as const;

/** As an engine that comes in with a file of the host: with no more power than is there already, as it would have before execve(2). */
function runNaively(pid: number, program: string): void {
  const powerless = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'];
  spawnSync('nsenter', ['-t', String(pid), '-p', ...powerless, program, ...bait]);
}

/**
 * Holds on to every program that is not the image's own, and writes to it as soon as nobody runs it any more: a program
 * that runs cannot be opened for writing, but one that was opened for reading can be opened again by its descriptor.
 */
const attack = `own=$(stat -L -c %d:%i /bin/busybox)
hold() {
  exec 3< $1/exe || exit
  echo $1 >> /tmp/held
  n=0
  while [ $n -lt 150 ]; do
    ( echo overwritten > /proc/self/fd/3 ) && { echo $1 >> /tmp/written; exit; }
    n=$((n + 1))
    busybox usleep 20000
  done
}
: > /tmp/ready
while :; do for p in /proc/[0-9]*; do
  id=$(stat -L -c %d:%i $p/exe) || continue
  [ $id = $own ] || ( hold $p ) &
done; done 2> /dev/null`;

describeWith(
  { root: true, tools: ['busybox', 'nsenter'] },
  'CVE-2019-5736: the program that comes into a container',
  () => {
    test('a runtime’s: nothing that hako or Node runs from is changed, on disk or in memory', async () => {
      await using opened = await openRuntime();
      const { runtime } = opened;
      using image = new Rootfs();
      symlinkSync('/proc/self/exe', image.at(`bin/${decoy}`));
      await runtime.images.import({ kind: 'rootfs', rootfs: image.path }, { reference: 'attacker' });
      const container = await runtime.containers.create({ image: 'attacker', command: ['sleep', '1000'] });
      await container.start();
      const { state } = await container.inspect();
      if (state.status !== 'running') throw new Error('it does not run');
      const supervisor = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${state.pid}/status`, 'utf8'))?.[1];
      const files = locateNative();
      const programs = [`/proc/${supervisor}/exe`, files.supervisor, files.worker, files.addon, process.execPath];
      const before = programs.map(hash);
      expect(before[0]).toBe(before[1]);
      const attacking = container.exec(['sh', '-c', attack]);
      for (let i = 0; i < 60; i++) await container.exec([...bait]);
      expect((await container.exec(['ls', '/tmp'])).stdout.toString()).toMatch(/^(held\n)?ready\n$/);
      expect(programs.map(hash)).toEqual(before);

      // From outside, where no namespace is in the way: once nobody runs it only the seals are.
      const held = openSync(`/proc/${supervisor}/exe`, 'r');
      await container.remove({ force: true });
      await attacking.catch(() => {});
      // Busy as long as a supervisor still runs from it, which ends after the container's removal.
      await vi.waitFor(() => expect(() => writeFileSync(`/proc/self/fd/${held}`, 'overwritten')).toThrow(/EPERM/));
      closeSync(held);
    });

    test('the positive control: an ordinary file that is executed inside, by name or as a supervisor, is overwritten', async () => {
      using image = new Rootfs();
      using host = new Rootfs();
      symlinkSync('/proc/self/exe', image.at(`bin/${decoy}`));
      const helper = host.at('busybox');
      copyFileSync('/bin/busybox', helper);
      await using supervisor = await idle(image);
      const { pid } = await supervisor.owner.next('started');
      const session = await supervisor.connect();
      await session.exec(execRequest([], { process: containerProcess(['sh', '-c', attack]) }));
      for (let i = 0; i < 40 && hash(helper) !== hashOf('overwritten\n'); i++) {
        runNaively(pid, helper);
        await delay(50);
      }
      expect(hash(helper)).toBe(hashOf('overwritten\n'));

      const copy = host.at('supervisor');
      copyFileSync(supervisorPath, copy);
      const unsealed = await idle(image, {}, {}, { supervisor: { prefix: ['sh', '-c', `exec '${copy}' "$1"`] } });
      expect(hash(`/proc/${unsealed.child.pid}/exe`)).toBe(hash(supervisorPath));
      const held = openSync(`/proc/${unsealed.child.pid}/exe`, 'r');
      await unsealed[Symbol.asyncDispose]();
      writeFileSync(`/proc/self/fd/${held}`, 'overwritten');
      closeSync(held);
      expect(hash(copy)).toBe(hashOf('overwritten'));
    });
  },
);
