import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type CgroupStep, CLONE_NEWPID, type StartRequest } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import { containerProcess, exec, idle, launch, privateNamespaces, run, runShell } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';

/** Where this process is, in version 1's hierarchy of a controller. */
function own(controller: string): string | undefined {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((one) => one.split(':')[1]?.split(',').includes(controller));
  const path = line === undefined ? undefined : join('/sys/fs/cgroup', controller, line.split(':').slice(2).join(':'));
  return path !== undefined && existsSync(join(path, 'cgroup.procs')) ? path : undefined;
}

const controllers = ['memory', 'pids', 'freezer', 'devices', 'cpu'] as const;
const missing = controllers.filter((name) => own(name) === undefined);
let serial = 0;

function cgroups(files: Partial<Record<(typeof controllers)[number], Record<string, string>>> = {}) {
  const name = `hako-test-${process.pid}-${serial++}`;
  const paths = Object.fromEntries(
    controllers.map((controller) => [controller, join(own(controller) ?? '', name)]),
  ) as Record<(typeof controllers)[number], string>;
  const steps: CgroupStep[] = controllers.flatMap((controller): CgroupStep[] => [
    { kind: 'mkdir', path: paths[controller] },
    ...Object.entries(files[controller] ?? {}).map(
      ([file, value]): CgroupStep => ({ kind: 'write', path: join(paths[controller], file), value }),
    ),
    { kind: 'join', directory: paths[controller] },
  ]);
  return {
    paths,
    request: {
      cgroup: steps,
      oom: { file: join(paths.memory, 'memory.oom_control'), key: 'oom_kill' },
    } satisfies Partial<StartRequest>,
    left: () => Object.values(paths).filter((path) => existsSync(path)),
  };
}

describeWith(
  { root: true, other: () => (missing.length > 0 ? `version 1 of ${missing.join()}` : undefined) },
  'version 1 control groups',
  () => {
    afterEach(() =>
      expect(
        controllers
          .map((controller) => join(own(controller) ?? '', `hako-test-${process.pid}-${serial - 1}`))
          .filter((path) => existsSync(path)),
      ).toEqual([]),
    );

    test('made, filled, joined before the program runs, and gone after it', async () => {
      using rootfs = new Rootfs();
      const groups = cgroups({ pids: { 'pids.max': '17' }, memory: { 'memory.limit_in_bytes': '33554432' } });
      await using supervisor = launch(
        rootfs,
        containerProcess(['sh', '-c', 'cat /proc/self/cgroup; sleep 1000']),
        groups.request,
      );
      const { pid } = await supervisor.owner.next('started');
      await supervisor.owner.until((text) => text.includes('cpu:/'));
      // In its own cgroup namespace the place that it was put in is the root.
      for (const controller of controllers) {
        expect(supervisor.owner.output().toString()).toMatch(
          new RegExp(`^\\d+:[a-z,=]*\\b${controller}\\b[a-z,]*:/$`, 'm'),
        );
        expect(readFileSync(join(groups.paths[controller], 'cgroup.procs'), 'utf8')).toContain(`${pid}\n`);
      }
      expect(readFileSync(join(groups.paths.pids, 'pids.max'), 'utf8')).toBe('17\n');
      const executed = await exec(
        supervisor,
        ['sh', '-c', 'cat /proc/self/cgroup'],
        {},
        { cgroups: Object.values(groups.paths) },
      );
      for (const controller of controllers)
        expect(executed.stdout).toMatch(new RegExp(`^\\d+:[a-z,=]*\\b${controller}\\b[a-z,]*:/$`, 'm'));
      supervisor.owner.send({ type: 'signal', signal: 9 });
      await supervisor.owner.closed;
      await supervisor.exited;
      expect(groups.left()).toEqual([]);
    });

    test('a kill for want of memory is told from any other', async () => {
      using rootfs = new Rootfs();
      const small = { memory: { 'memory.limit_in_bytes': '16777216' } };
      const killed = await run(
        rootfs,
        containerProcess(['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=100M', 'count=1']),
        cgroups(small).request,
      );
      expect(killed.exited).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
      await using other = await idle(rootfs, {}, cgroups(small).request);
      other.owner.send({ type: 'signal', signal: 9 });
      expect(await other.owner.next('exited')).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
      await other.exited;
    });

    test('too little memory to start at all is a clear failure', async () => {
      using rootfs = new Rootfs();
      const { failed, exited } = await run(
        rootfs,
        containerProcess(['true']),
        cgroups({ memory: { 'memory.limit_in_bytes': '0' } }).request,
      );
      expect(failed ?? exited).toMatchObject(
        failed ? { operation: 'child', detail: expect.stringContaining('signal 9') } : { oomKilled: true },
      );
    });

    test('without a pid namespace what was left behind is killed', async () => {
      using rootfs = new Rootfs();
      const groups = cgroups();
      const { stdout } = await runShell(
        rootfs,
        'sleep 1000 > /dev/null 2>&1 & sleep 1000 > /dev/null 2>&1 & echo $!',
        {},
        { ...groups.request, unshare: privateNamespaces & ~CLONE_NEWPID },
        { before: [] },
      );
      const orphan = stdout.trim();
      await expect
        .poll(() => existsSync(`/proc/${orphan}`) && !/\) Z/.test(readFileSync(`/proc/${orphan}/stat`, 'utf8')))
        .toBe(false);
      await expect.poll(groups.left).toEqual([]);
    });

    test('cgroups of the container’s own making go too, frozen and deep', async () => {
      using rootfs = new Rootfs();
      const groups = cgroups();
      await using supervisor = await idle(
        rootfs,
        {},
        { ...groups.request, unshare: privateNamespaces & ~CLONE_NEWPID },
      );
      const { pid } = await supervisor.owner.next('started');
      mkdirSync(join(groups.paths.pids, ...Array.from({ length: 200 }, (_, i) => `n${i}`)), { recursive: true });
      mkdirSync(join(groups.paths.freezer, 'a/b'), { recursive: true });
      const { stdout } = await exec(
        supervisor,
        ['sh', '-c', 'sleep 1000 > /dev/null 2>&1 & echo $!'],
        {},
        { cgroups: [groups.paths.pids] },
      );
      writeFileSync(join(groups.paths.freezer, 'a/b/cgroup.procs'), stdout.trim());
      writeFileSync(join(groups.paths.freezer, 'a/b/freezer.state'), 'FROZEN');
      process.kill(pid, 'SIGKILL');
      await supervisor.exited;
      await expect.poll(groups.left, { timeout: 5000 }).toEqual([]);
      expect(existsSync(`/proc/${stdout.trim()}`)).toBe(false);
    });

    test('a parent that others use stays, and so do they', async () => {
      using rootfs = new Rootfs();
      const base = join(own('pids') ?? '', `hako-test-${process.pid}-${serial++}`);
      const steps: CgroupStep[] = [
        { kind: 'mkdir', path: base },
        { kind: 'mkdir', path: `${base}/mine` },
        { kind: 'join', directory: `${base}/mine` },
      ];
      const supervisor = await idle(rootfs, {}, { cgroup: steps });
      mkdirSync(`${base}/theirs`);
      await using other = await idle(
        rootfs,
        {},
        {
          cgroup: [
            { kind: 'mkdir', path: base },
            { kind: 'join', directory: `${base}/theirs` },
          ],
        },
      );
      await supervisor[Symbol.asyncDispose]();
      expect(existsSync(`${base}/mine`)).toBe(false);
      expect(readFileSync(`${base}/theirs/cgroup.procs`, 'utf8')).not.toBe('');
      other.owner.send({ type: 'signal', signal: 9 });
      await other.exited;
      rmdirSync(`${base}/theirs`);
      rmdirSync(base);
    });

    test('a step that fails undoes the ones before', async () => {
      using rootfs = new Rootfs();
      const groups = cgroups({ pids: { 'pids.max': 'many' } });
      expect((await run(rootfs, containerProcess(['true']), groups.request)).failed).toMatchObject({
        operation: 'cgroup',
        errno: 22,
        detail: expect.stringContaining('write many to '),
      });
      expect(groups.left()).toEqual([]);
      const late = cgroups();
      const joined: CgroupStep[] = [...late.request.cgroup, { kind: 'join', directory: '/sys/fs/cgroup/absent' }];
      expect((await run(rootfs, containerProcess(['true']), { cgroup: joined })).failed).toMatchObject({
        operation: 'cgroup',
        errno: 2,
        detail: 'join /sys/fs/cgroup/absent',
      });
      expect(late.left()).toEqual([]);
      const program = cgroups();
      expect((await run(rootfs, containerProcess(['absent']), program.request)).failed?.operation).toBe('exec');
      expect(program.left()).toEqual([]);
      serial++;
    });
  },
);
