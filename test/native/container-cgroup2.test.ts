import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type CgroupStep, CLONE_NEWPID } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import {
  capabilities,
  containerProcess,
  exec,
  hostBounding,
  idle,
  launch,
  mount,
  privateNamespaces,
  run,
  runShell,
} from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';

const magic = 0x63677270;
const root = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find(
  (path) => existsSync(join(path, 'cgroup.procs')) && statfsSync(path).type === magic,
);
const here =
  root === undefined ? '' : join(root, /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '');
let serial = 0;
const fresh = () => join(here, `hako-test2-${process.pid}-${serial++}`);
const into = (path: string): CgroupStep[] => [
  { kind: 'mkdir', path },
  { kind: 'into', directory: path },
];

// r0 = 1; exit
const anything = Uint8Array.from(
  [
    [0xb7, 0, 0, 0, 1, 0, 0, 0],
    [0x95, 0, 0, 0, 0, 0, 0, 0],
  ].flat(),
);
// r2 = access type; r2 >>= 16; r2 &= read | write; r0 = 1; if (r2 == 0) exit; r0 = 0; exit
const onlyMknod = Uint8Array.from(
  [
    [0x61, 0x12, 0, 0, 0, 0, 0, 0],
    [0x77, 2, 0, 0, 16, 0, 0, 0],
    [0x57, 2, 0, 0, 6, 0, 0, 0],
    [0xb7, 0, 0, 0, 1, 0, 0, 0],
    [0x15, 2, 1, 0, 0, 0, 0, 0],
    [0xb7, 0, 0, 0, 0, 0, 0, 0],
    [0x95, 0, 0, 0, 0, 0, 0, 0],
  ].flat(),
);
// r0 = 0; exit
const nothing = Uint8Array.from(
  [
    [0xb7, 0, 0, 0, 0, 0, 0, 0],
    [0x95, 0, 0, 0, 0, 0, 0, 0],
  ].flat(),
);

describeWith(
  { root: true, other: () => (root === undefined ? 'version 2' : undefined) },
  'version 2 control groups',
  () => {
    afterEach(() => {
      for (let i = 0; i < serial; i++) expect(existsSync(join(here, `hako-test2-${process.pid}-${i}`))).toBe(false);
    });

    test('born into it, and so is what is executed; the place is the root of its cgroup namespace', async () => {
      using rootfs = new Rootfs();
      const path = fresh();
      await using supervisor = launch(
        rootfs,
        containerProcess(['sh', '-c', 'grep ^0: /proc/self/cgroup; sleep 1000']),
        { cgroup: into(path) },
      );
      const { pid } = await supervisor.owner.next('started');
      await supervisor.owner.until((text) => text.includes('0::/\n'));
      expect(readFileSync(join(path, 'cgroup.procs'), 'utf8')).toContain(`${pid}\n`);
      expect((await exec(supervisor, ['sh', '-c', 'grep ^0: /proc/self/cgroup'], {}, { cgroups: [path] })).stdout).toBe(
        '0::/\n',
      );
      supervisor.owner.send({ type: 'signal', signal: 9 });
      await supervisor.exited;
    });

    test('a mount of it shows nothing above', async () => {
      using rootfs = new Rootfs();
      const { stdout, failed } = await runShell(
        rootfs,
        'cat /cg/cgroup.procs',
        {},
        { cgroup: into(fresh()) },
        { before: [mount('cgroup2', 'cg', 0n)] },
      );
      expect(failed).toBeUndefined();
      expect(stdout).toMatch(/^1\n/);
    });

    test('device rules hold for the container and for what is executed', async () => {
      using rootfs = new Rootfs();
      const rules = (path: string, program: Uint8Array): CgroupStep[] => [
        ...into(path),
        { kind: 'devices', directory: path, program },
      ];
      const attempt = 'mknod /tmp/disk b 8 0 && echo made; cat /dev/zero | head -c 1 | wc -c';
      const options = { capabilities: capabilities(hostBounding) };
      const verdict = async (program: Uint8Array) => {
        const path = fresh();
        await using supervisor = await idle(rootfs, options, { cgroup: rules(path, program) });
        const { stdout } = await exec(supervisor, ['sh', '-c', attempt], options, { cgroups: [path] });
        supervisor.owner.send({ type: 'signal', signal: 9 });
        await supervisor.exited;
        rmSync(rootfs.at('tmp/disk'), { force: true });
        return stdout;
      };
      expect(await verdict(anything)).toBe('made\n1\n');
      expect(await verdict(onlyMknod)).toBe('made\n0\n');
      // Rules hold from before the first step inside: its own nodes can't be made.
      expect((await run(rootfs, containerProcess(['true']), { cgroup: rules(fresh(), nothing) })).failed).toMatchObject(
        { operation: 'mknod', errno: 1 },
      );
    });

    test('a program that the kernel refuses is a clear failure', async () => {
      using rootfs = new Rootfs();
      const path = fresh();
      const broken: CgroupStep[] = [
        ...into(path),
        { kind: 'devices', directory: path, program: new Uint8Array(8).fill(0xff) },
      ];
      expect((await run(rootfs, containerProcess(['true']), { cgroup: broken })).failed).toMatchObject({
        operation: 'cgroup',
        errno: 22,
        detail: 'the kernel refuses the device rules',
      });
    });

    test('without a pid namespace cgroup.kill ends what was left, however deep and frozen', async () => {
      using rootfs = new Rootfs();
      const path = fresh();
      await using supervisor = await idle(
        rootfs,
        {},
        { cgroup: into(path), unshare: privateNamespaces & ~CLONE_NEWPID },
      );
      const { pid } = await supervisor.owner.next('started');
      mkdirSync(join(path, 'a/b/c'), { recursive: true });
      const { stdout } = await exec(
        supervisor,
        ['sh', '-c', 'sleep 1000 > /dev/null 2>&1 & echo $!'],
        {},
        { cgroups: [path] },
      );
      writeFileSync(join(path, 'a/b/c/cgroup.procs'), stdout.trim());
      writeFileSync(join(path, 'a/b/cgroup.freeze'), '1');
      process.kill(pid, 'SIGKILL');
      await supervisor.exited;
      await expect.poll(() => existsSync(path)).toBe(false);
      expect(existsSync(`/proc/${stdout.trim()}`)).toBe(false);
    });
  },
);
