import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  CLONE_NEWUSER,
  encodeGo,
  FrameType,
  frameHeader,
  MAX_REQUEST,
  type StartRequest,
} from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import { containerProcess, launch, privateNamespaces } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';
import { jsonFile, SupervisorProcess } from './support/supervisor-process.ts';

const everything = { stdin: true, stdout: true, stderr: true };

async function prepared(more: Partial<StartRequest> = {}): Promise<SupervisorProcess> {
  const supervisor = new SupervisorProcess();
  supervisor.start({ wait: true, stdin: true, attach: everything, ...more });
  await supervisor.owner.next('prepared');
  return supervisor;
}

/** The one process below the supervisor. */
function child(supervisor: SupervisorProcess): number {
  const { pid } = supervisor.child;
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

const types = (supervisor: SupervisorProcess) => supervisor.owner.frames.map(({ type }) => type);

describe('a container that waits for its program', () => {
  test('runs what GO says, where and with what it says', async () => {
    await using supervisor = await prepared();
    expect(readFileSync(`/proc/${child(supervisor)}/comm`, 'utf8')).toBe('hako:prepared\n');
    supervisor.owner.go(['sh', '-c', 'echo $0 $A $HOME; pwd; exit 3', 'x y'], {
      env: ['A=b', 'PATH=/bin'],
      cwd: '/usr',
    });
    const { exitCode } = await supervisor.owner.next('exited');
    expect(exitCode).toBe(3);
    expect(supervisor.owner.output().toString()).toBe('x y b /root\n/usr\n');
    await supervisor.owner.closed;
    expect(types(supervisor).filter((type) => type !== 'output')).toEqual(['prepared', 'started', 'exited']);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 3 });
    expect(await supervisor.exited).toBe(0);
  });

  test('has /dev/null for its stdin unless GO wants it', async () => {
    await using without = await prepared();
    without.owner.go(['sh', '-c', 'readlink /proc/self/fd/0; cat']);
    await without.owner.next('exited');
    expect(without.owner.output().toString()).toBe('/dev/null\n');

    await using withStdin = await prepared();
    withStdin.owner.go(['sh', '-c', 'readlink /proc/self/fd/0; cat'], { stdin: true });
    withStdin.owner.send({ type: 'stdin', data: Buffer.from('fed') });
    withStdin.owner.send({ type: 'stdin-eof' });
    await withStdin.owner.next('exited');
    expect(withStdin.owner.output().toString()).toMatch(/^pipe:\[\d+\]\nfed$/);
  });

  test('leaves the program no descriptor but its streams', async () => {
    await using supervisor = await prepared();
    supervisor.owner.go(['ls', '/proc/self/fd']);
    await supervisor.owner.next('exited');
    // 3 is ls's own.
    expect(supervisor.owner.output().toString()).toBe('0\n1\n2\n3\n');
  });

  test('cannot be traced by whoever has its id, even where fs.suid_dumpable would let them', async () => {
    const knob = '/proc/sys/fs/suid_dumpable';
    const before = readFileSync(knob, 'utf8');
    onTestFinished(() => writeFileSync(knob, before));
    writeFileSync(knob, '1');
    using rootfs = new Rootfs();
    const idMap = {
      method: 'direct',
      uidMap: '0 70000 65536\n',
      gidMap: '0 70000 65536\n',
      denySetgroups: false,
    } as const;
    const request = { unshare: privateNamespaces | CLONE_NEWUSER, idMap, wait: true };
    await using supervisor = launch(rootfs, containerProcess([]), request, { bindDevices: true });
    await supervisor.owner.next('prepared');
    // proc_pid(5): of one that can be dumped they are its own user's, else root's.
    const { uid } = statSync(`/proc/${child(supervisor)}/mem`);
    expect(readFileSync(`/proc/${child(supervisor)}/status`, 'utf8')).toMatch(/^Uid:\t70000\t/m);
    expect(uid).toBe(0);
  });

  test('logs from its first byte', async () => {
    await using supervisor = await prepared({ sink: jsonFile() });
    supervisor.owner.go(['echo', 'hello']);
    await supervisor.owner.next('exited');
    expect(readFileSync(supervisor.path('c-json.log'), 'utf8')).toContain('"log":"hello\\n"');
  });

  test('takes megabytes of arguments', async () => {
    await using supervisor = await prepared();
    const words = Array.from({ length: 12 }, (_, index) => String(index).repeat(100_000).slice(0, 100_000));
    supervisor.owner.go(['sh', '-c', 'printf %s "$@" | wc -c', 'sh', ...words]);
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().toString().trim()).toBe('1200000');
  });

  test('tells why a program could not be run, and is gone', async () => {
    await using supervisor = await prepared();
    supervisor.owner.go(['no-such-program']);
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'exec', detail: 'no-such-program' });
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual([]);
  });

  test.each([
    ['without a program', encodeGo({ argv: [], env: [], cwd: '/', stdin: false })],
    ['that ends early', Buffer.concat([frameHeader(FrameType.GO, 3), Buffer.alloc(3)])],
    ['with an unknown flag', Buffer.concat([frameHeader(FrameType.GO, 4), Buffer.from([2, 0, 0, 0])])],
    ['over its limit', frameHeader(FrameType.GO, MAX_REQUEST + 1)],
  ])('refuses a GO %s', async (_, bytes) => {
    await using supervisor = await prepared();
    const pid = child(supervisor);
    supervisor.owner.sendRaw(bytes);
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'protocol' });
    expect(await supervisor.exited).toBe(1);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(supervisor.names).toEqual([]);
  });

  test.each([
    ['a second one', (supervisor: SupervisorProcess) => supervisor.owner.go(['true'])],
    ['a signal', (supervisor: SupervisorProcess) => supervisor.owner.send({ type: 'signal', signal: 15 })],
  ])('takes GO and nothing else: not %s', async (what, send) => {
    await using supervisor = await prepared();
    if (what === 'a second one') supervisor.owner.go(['sleep', '100']);
    if (what === 'a second one') await supervisor.owner.next('started');
    send(supervisor);
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'protocol' });
    await supervisor.exited;
  });

  test('is nothing for another session until it runs', async () => {
    await using supervisor = await prepared();
    const early = await supervisor.connect();
    early.send({ type: 'state' });
    expect(await early.next('failed')).toMatchObject({ operation: 'session' });
    early.socket.destroy();
    supervisor.owner.go(['sleep', '100']);
    await supervisor.owner.next('started');
    const session = await supervisor.connect();
    session.send({ type: 'state' });
    expect(await session.next('state-reply')).toMatchObject({ running: true });
  });

  test("is undone with its owner's session", async () => {
    await using supervisor = await prepared({ sink: jsonFile() });
    const pid = child(supervisor);
    supervisor.owner.socket.destroy();
    expect(await supervisor.exited).toBe(1);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(supervisor.names).toEqual([]);
  });

  test('is undone when its supervisor is told to end', async () => {
    await using supervisor = await prepared();
    supervisor.child.kill('SIGTERM');
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'child' });
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual([]);
  });

  test('ends with a supervisor that is killed', async () => {
    await using supervisor = await prepared();
    const pid = child(supervisor);
    supervisor.child.kill('SIGKILL');
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), 5000);
  });

  test('tells when its process is killed', async () => {
    await using supervisor = await prepared();
    process.kill(child(supervisor), 'SIGKILL');
    expect(await supervisor.owner.next('failed')).toMatchObject({
      operation: 'child',
      detail: 'the process was killed during its set-up by signal 9 (a memory limit that is too low?)',
    });
    expect(await supervisor.exited).toBe(1);
    expect(supervisor.names).toEqual([]);
  });

  test('tells when its process was killed just before GO', async () => {
    await using supervisor = await prepared();
    supervisor.child.kill('SIGSTOP');
    process.kill(child(supervisor), 'SIGKILL');
    supervisor.owner.go(['true']);
    supervisor.child.kill('SIGCONT');
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'child' });
    expect(await supervisor.exited).toBe(1);
  });
});

describeWith({ root: true }, 'a prepared container', () => {
  const rootfs = new Rootfs();
  afterAll(() => rootfs[Symbol.dispose]());

  test('is whole: namespaces, root, user, working directory, filter, init', async () => {
    for (const init of [false, true]) {
      await using supervisor = launch(
        rootfs,
        containerProcess([], { init, createCwd: true, user: '1000:1000', noNewPrivileges: true }),
        { wait: true, hostname: 'ready' },
      );
      await supervisor.owner.next('prepared');
      supervisor.owner.go(['sh', '-c', 'pwd; hostname; id -u; echo $$; grep NoNewPrivs /proc/self/status'], {
        env: ['PATH=/bin'],
        cwd: '/made/by/root',
      });
      await supervisor.owner.next('exited');
      expect(supervisor.owner.output('stderr').toString()).toBe('');
      expect(supervisor.owner.output().toString()).toBe(
        `/made/by/root\nready\n1000\n${init ? 2 : 1}\nNoNewPrivs:\t1\n`,
      );
      await supervisor.owner.closed;
    }
  });

  test('has a session keyring of its own', async () => {
    execFileSync('cc', ['-static', '-o', rootfs.at('bin/keyring'), 'test/native/session-keyring.c']);
    const serials = [execFileSync(rootfs.at('bin/keyring'), { encoding: 'utf8' })];
    for (let run = 0; run < 2; run++) {
      await using supervisor = launch(rootfs, containerProcess([]), { wait: true });
      await supervisor.owner.next('prepared');
      supervisor.owner.go(['keyring'], { env: ['PATH=/bin'] });
      await supervisor.owner.next('exited');
      serials.push(supervisor.owner.output().toString());
    }
    for (const serial of serials) expect(serial).toMatch(/^[1-9]\d*\n$/);
    expect(new Set(serials).size).toBe(3);
  });

  test('has a terminal of its own', async () => {
    await using supervisor = launch(rootfs, containerProcess([], { tty: true }), { wait: true });
    await supervisor.owner.next('prepared');
    supervisor.owner.go(['sh', '-c', 'test -t 0 && echo tty'], { env: ['PATH=/bin'] });
    await supervisor.owner.next('exited');
    expect(supervisor.owner.output().toString()).toBe('tty\r\n');
  });

  test('leaves no control group when it is undone, by its owner or by a kill', async () => {
    const parent = readFileSync('/proc/self/cgroup', 'utf8').match(/^\d+:(?:.*,)?pids(?:,.*)?:(.*)$/m)?.[1];
    const directory = `/sys/fs/cgroup/pids${parent === '/' ? '' : parent}/hako-prepared-${process.pid}`;
    for (const how of ['owner', 'kill'] as const) {
      await using supervisor = launch(rootfs, containerProcess([]), {
        wait: true,
        cgroup: [
          { kind: 'mkdir', path: directory },
          { kind: 'join', directory },
        ],
      });
      await supervisor.owner.next('prepared');
      expect(readFileSync(`${directory}/cgroup.procs`, 'utf8')).toBe(`${child(supervisor)}\n`);
      if (how === 'owner') supervisor.owner.socket.destroy();
      else process.kill(child(supervisor), 'SIGKILL');
      await supervisor.exited;
      expect(existsSync(directory)).toBe(false);
    }
  });
});
