import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StartRequest } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import { containerProcess, exec, launch } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';
import type { RawSession } from './support/supervisor-process.ts';

const own = (controller: string): string => {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((one) => one.split(':')[1]?.split(',').includes(controller));
  return line === undefined ? '' : join('/sys/fs/cgroup', controller, line.split(':').slice(2).join(':'));
};
const missing = ['pids', 'freezer', 'memory'].filter(
  (name) => !existsSync(join(own(name) || '/absent', 'cgroup.procs')),
);
let serial = 0;

/** A container in a group of its own, and a further group that it is not in yet. */
function groups() {
  const name = `hako-late-${process.pid}-${serial++}`;
  const [memory, freezer] = [join(own('memory'), name), join(own('freezer'), name)];
  return {
    memory,
    freezer,
    request: {
      cgroup: [
        { kind: 'mkdir', path: memory },
        { kind: 'write', path: join(memory, 'memory.limit_in_bytes'), value: String(32 << 20) },
        { kind: 'join', directory: memory },
      ],
      oom: { file: join(memory, 'memory.oom_control'), key: 'oom_kill' },
    } satisfies Partial<StartRequest>,
  };
}

const procs = (directory: string) => readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);

/** Sent, and answered: what is asked after it comes after it. */
async function addGroup(session: RawSession, directory: string): Promise<void> {
  const answered = session.frames.filter(({ type }) => type === 'state-reply').length;
  session.send({ type: 'group', directory });
  session.send({ type: 'state' });
  await session.next(
    'state-reply',
    () => session.frames.filter(({ type }) => type === 'state-reply').length > answered,
  );
}

describeWith(
  { root: true, other: () => (missing.length > 0 ? `version 1 of ${missing.join()}` : undefined) },
  'a group that comes after the start',
  () => {
    test('is made, joined by every exec that does not name it, and gone in the end', async () => {
      using rootfs = new Rootfs();
      const { memory, freezer, request } = groups();
      await using supervisor = launch(rootfs, containerProcess(['sleep', '1000']), request);
      await supervisor.owner.next('started');
      await addGroup(supervisor.owner, freezer);
      expect(procs(freezer)).toEqual([]);
      const script = ['sh', '-c', 'grep freezer /proc/self/cgroup'];
      // With and without its name.
      for (const cgroups of [[memory], [memory, freezer]])
        expect((await exec(supervisor, script, {}, { cgroups })).stdout).toMatch(/:freezer:.*hako-late-/);
      await addGroup(supervisor.owner, freezer);
      supervisor.owner.send({ type: 'signal', signal: 9 });
      await supervisor.owner.next('exited');
      await supervisor.exited;
      expect([memory, freezer].filter((path) => existsSync(path))).toEqual([]);
    });

    test('that is there already is taken over: a supervisor that was killed has left it', async () => {
      using rootfs = new Rootfs();
      const { freezer, request } = groups();
      mkdirSync(freezer);
      {
        await using supervisor = launch(rootfs, containerProcess(['sleep', '1000']), request);
        await supervisor.owner.next('started');
        await addGroup(supervisor.owner, freezer);
      }
      const left = existsSync(freezer);
      if (left) rmdirSync(freezer);
      expect(left).toBe(false);
    });

    test('that cannot be made is an answer, and the session goes on', async () => {
      using rootfs = new Rootfs();
      const { request } = groups();
      await using supervisor = launch(rootfs, containerProcess(['sleep', '1000']), request);
      await supervisor.owner.next('started');
      await addGroup(supervisor.owner, '/sys/fs/cgroup/freezer/absent/absent');
      expect(supervisor.owner.frames.find(({ type }) => type === 'failed')).toMatchObject({
        operation: 'cgroup',
        errno: 2,
        detail: expect.stringContaining('/absent/absent'),
      });
      const session = await supervisor.connect();
      session.send({ type: 'group', directory: 'relative' });
      expect(await session.next('failed')).toMatchObject({ operation: 'protocol' });
    });

    test('that is frozen is thawed by a kill, and by the end of the owner', async () => {
      using rootfs = new Rootfs();
      for (const end of ['signal', 'hang-up', 'terminate'] as const) {
        const { freezer, request } = groups();
        await using supervisor = launch(rootfs, containerProcess(['sleep', '1000']), request);
        const { pid } = await supervisor.owner.next('started');
        await addGroup(supervisor.owner, freezer);
        writeFileSync(join(freezer, 'cgroup.procs'), String(pid));
        writeFileSync(join(freezer, 'freezer.state'), 'FROZEN');
        await expect.poll(() => readFileSync(join(freezer, 'freezer.state'), 'utf8')).toBe('FROZEN\n');
        if (end === 'signal') supervisor.owner.send({ type: 'signal', signal: 9 });
        else if (end === 'hang-up') supervisor.owner.socket.destroy();
        else supervisor.child.kill('SIGTERM');
        if (end === 'terminate')
          await expect.poll(() => readFileSync(join(freezer, 'freezer.state'), 'utf8')).toBe('THAWED\n');
        else await expect.poll(() => existsSync(freezer)).toBe(false);
      }
    });

    test('OOM kills are told to the sessions of the container as they come', async () => {
      using rootfs = new Rootfs();
      const { memory, request } = groups();
      const greedy = 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null';
      await using supervisor = launch(
        rootfs,
        containerProcess(['sh', '-c', `${greedy}; ${greedy}; exec sleep 1000`]),
        request,
      );
      expect(await supervisor.owner.next('oom', ({ kills }) => kills === 2)).toEqual({ type: 'oom', kills: 2 });
      expect(supervisor.owner.frames.some(({ type }) => type === 'exited')).toBe(false);
      const killed = await exec(
        supervisor,
        ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'],
        {},
        { cgroups: [memory] },
      );
      expect(killed.exited).toMatchObject({ exitCode: 137, oomKilled: true });
      await supervisor.owner.next('oom', ({ kills }) => kills === 3);
      supervisor.owner.send({ type: 'signal', signal: 9 });
      expect(await supervisor.owner.next('exited')).toMatchObject({ signal: 9, oomKilled: true });
    });
  },
);
