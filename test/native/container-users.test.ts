import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { capabilities, containerProcess, exec, idle, run, runShell } from './support/container.ts';
import { Rootfs } from './support/rootfs.ts';

const status = ['grep', '-E', '^(Uid|Gid|Groups|Cap)', '/proc/self/status'];

describeWith({ root: true }, 'who the process is', () => {
  test.each([
    ['', 0, 0, '0 10', '/root'],
    ['root', 0, 0, '0 10', '/root'],
    ['0', 0, 0, '0 10', '/root'],
    ['app', 1000, 1000, '10 1000 2000', '/home/app'],
    ['1000', 1000, 1000, '10 1000 2000', '/home/app'], // never the entry whose name is 1000
    ['app:extra', 1000, 2000, '2000', '/home/app'],
    ['app:0', 1000, 0, '0', '/home/app'],
    ['1000:1000', 1000, 1000, '1000', '/home/app'], // never the group whose name is 1000
    ['4321', 4321, 0, '0', '/'],
    ['4321:wheel', 4321, 10, '10', '/'],
    ['2147483647:2147483647', 2147483647, 2147483647, '2147483647', '/'],
  ])('user %j', async (user, uid, gid, groups, home) => {
    using rootfs = new Rootfs();
    await using supervisor = await idle(rootfs);
    const command = [
      'sh',
      '-c',
      `${status.join(' ')} | grep -v Cap; echo $HOME`.replace('^(Uid|Gid|Groups|Cap)', "'^(Uid|Gid|Groups)'"),
    ];
    const expected = `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\nGid:\t${gid}\t${gid}\t${gid}\t${gid}\nGroups:\t${groups} \n${home}\n`;
    const started = await run(rootfs, containerProcess(command, { user }));
    const executed = await exec(supervisor, command, { user });
    expect(started).toMatchObject({ stdout: expected, started: { uid, gid } });
    expect(executed).toMatchObject({ stdout: expected, started: { uid, gid } });
  });

  test('additional groups, by name and by number', async () => {
    using rootfs = new Rootfs();
    const grep = containerProcess(['grep', 'Groups', '/proc/self/status'], {
      user: 'app:app',
      additionalGroups: ['extra', '77', 'wheel', '77'],
    });
    expect((await run(rootfs, grep)).stdout).toBe('Groups:\t10 77 1000 2000 \n');
    for (const group of ['nobody-knows', '+1', '', '-1', '4294967296', '0x1', '01'])
      expect((await run(rootfs, containerProcess(['true'], { additionalGroups: [group] }))).failed).toMatchObject({
        operation: 'groups',
      });
  });

  test.each([
    '-1',
    '+0',
    ' 0',
    '0 ',
    '0x0',
    '00',
    '007',
    '1e3',
    '0:0:0',
    ':0',
    '0:',
    ':',
    '2147483648',
    '4294967295',
    '4294967296',
    '18446744073709551616',
    'nobody-knows',
    'far',
    'root\n',
    '\t',
    '0:-1',
    '0:+0',
    '0:2147483648',
    '0:nobody-knows',
    'a'.repeat(5000),
    '1'.repeat(300),
  ])('user %j is refused, and is nobody in the meantime', async (user) => {
    using rootfs = new Rootfs();
    const { failed, started } = await run(rootfs, containerProcess(['true'], { user }));
    expect(['user', 'groups']).toContain(failed?.operation);
    expect(failed?.detail).not.toBe('');
    expect(started).toBeUndefined();
  });

  test('an entry with a name like a number with a sign does not help', async () => {
    using rootfs = new Rootfs();
    rootfs.write('etc/passwd', '+0:x:0:0::/:\n-1:x:0:0::/:\n 0:x:0:0::/:\n');
    for (const user of ['+0', '-1', ' 0'])
      expect((await run(rootfs, containerProcess(['true'], { user }))).failed?.operation).toBe('user');
  });

  test('no capability but what was asked for, in none of the five sets', async () => {
    using rootfs = new Rootfs();
    const sets = async (user: string, more = {}, mask = 0xa80425fbn) => {
      const { stdout } = await run(
        rootfs,
        containerProcess(['grep', 'Cap', '/proc/self/status'], { user, capabilities: capabilities(mask, more) }),
      );
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[1]?.replace(/^0+(?=.)/, ''));
    };
    // CapInh CapPrm CapEff CapBnd CapAmb
    expect(await sets('0')).toEqual(['0', 'a80425fb', 'a80425fb', 'a80425fb', '0']);
    expect(await sets('app')).toEqual(['0', '0', '0', 'a80425fb', '0']);
    expect(await sets('0', {}, 0n)).toEqual(['0', '0', '0', '0', '0']);
    expect(await sets('app', { ambient: 0x400n, inheritable: 0x400n })).toEqual([
      '400',
      '400',
      '400',
      'a80425fb',
      '400',
    ]);
    expect(await sets('app', { ambient: 0x400n, inheritable: 0x400n }, 0x400n)).toEqual([
      '400',
      '400',
      '400',
      '400',
      '400',
    ]);
  });

  test('a seccomp filter holds without no_new_privs as with it, for whichever user', async () => {
    using rootfs = new Rootfs();
    // mkdir (83, mkdirat 258) fails with errno 99; all else is allowed.
    const filter = (instructions: [number, number, number, number][]) => {
      const bytes = Buffer.alloc(instructions.length * 8);
      for (const [i, [code, jt, jf, k]] of instructions.entries()) {
        bytes.writeUInt16LE(code, i * 8);
        bytes.writeUInt8(jt, i * 8 + 2);
        bytes.writeUInt8(jf, i * 8 + 3);
        bytes.writeUInt32LE(k, i * 8 + 4);
      }
      return bytes;
    };
    const noMkdir = filter([
      [0x20, 0, 0, 0],
      [0x15, 1, 0, 83],
      [0x15, 0, 1, 258],
      [6, 0, 0, 0x50000 | 99],
      [6, 0, 0, 0x7fff0000],
    ]);
    // Nothing but what the dynamic part of a static program needs: write, exit, and execve itself. prctl, capset, chdir and close are denied.
    const almostNothing = filter([
      [0x20, 0, 0, 0],
      ...[
        0, 1, 3, 5, 9, 10, 11, 12, 13, 14, 16, 39, 59, 60, 79, 89, 102, 104, 110, 111, 158, 218, 231, 273, 302, 318,
        334,
      ]
        .map((number): [number, number, number, number] => [0x15, 0, 1, number])
        .flatMap((jump) => [jump, [6, 0, 0, 0x7fff0000] as [number, number, number, number]]),
      [6, 0, 0, 0x50000 | 1],
    ]);
    for (const user of ['0', 'app'])
      for (const noNewPrivileges of [true, false]) {
        const { stdout, stderr } = await runShell(
          rootfs,
          'mkdir /tmp/x; grep -E "Seccomp:|NoNewPrivs|CapEff" /proc/self/status',
          { user, noNewPrivileges, seccomp: { program: noMkdir, flags: 0 } },
        );
        expect(stderr).toMatch(/Cannot assign requested address|99/);
        expect(stdout).toBe(
          `CapEff:\t${user === '0' ? '00000000a80425fb' : '0000000000000000'}\nNoNewPrivs:\t${noNewPrivileges ? 1 : 0}\nSeccomp:\t2\n`,
        );
        const bare = await run(
          rootfs,
          containerProcess(['echo', 'alive'], { user, noNewPrivileges, seccomp: { program: almostNothing, flags: 0 } }),
        );
        expect(bare).toMatchObject({ stdout: 'alive\n', failed: undefined });
        // The filter forbids every way to send it, and still the failure comes home.
        expect(
          (
            await run(
              rootfs,
              containerProcess(['absent'], { user, noNewPrivileges, seccomp: { program: almostNothing, flags: 0 } }),
            )
          ).failed,
        ).toMatchObject({ operation: 'exec', errno: 2 });
      }
  });
});

describeWith({ root: true }, '/etc/passwd and /etc/group of an image', () => {
  const attempt = async (spoil: (rootfs: Rootfs) => void, user = 'app') => {
    using rootfs = new Rootfs();
    rmSync(rootfs.at('etc/passwd'));
    spoil(rootfs);
    const begun = performance.now();
    const result = await run(rootfs, containerProcess(['true'], { user }));
    expect(performance.now() - begun).toBeLessThan(5000);
    return result;
  };
  const refused = { started: undefined, failed: { operation: 'user' } };

  test('a link inside the root is followed, inside the root', async () => {
    const linked = (target: string) => (rootfs: Rootfs) => {
      rootfs.write('etc/real', 'app:x:1234:1234::/:\n');
      symlinkSync(target, rootfs.at('etc/passwd'));
    };
    for (const target of ['real', '/etc/real', '../../../../etc/real'])
      expect(await attempt(linked(target))).toMatchObject({ started: { uid: 1234, gid: 1234 } });
    using outside = new Rootfs();
    outside.write('canary', 'app:x:666:666::/:\n');
    for (const target of [outside.at('canary'), `../../../../../..${outside.at('canary')}`])
      expect(await attempt(linked(target))).toMatchObject(refused);
  });

  test.each<[string, (rootfs: Rootfs) => void]>([
    ['a FIFO', (rootfs) => execFileSync('mkfifo', [rootfs.at('etc/passwd')])],
    ['a directory', (rootfs) => mkdirSync(rootfs.at('etc/passwd'))],
    ['an endless device', (rootfs) => symlinkSync('/dev/zero', rootfs.at('etc/passwd'))],
    ['a loop of links', (rootfs) => symlinkSync('passwd', rootfs.at('etc/passwd'))],
    ['a magic link', (rootfs) => symlinkSync('/proc/self/fd/0', rootfs.at('etc/passwd'))],
    [
      'a terabyte of holes',
      (rootfs) => {
        writeFileSync(rootfs.at('etc/passwd'), '');
        truncateSync(rootfs.at('etc/passwd'), 2 ** 40);
      },
    ],
  ])('%s is a clear failure at once', async (_, spoil) => {
    expect(await attempt(spoil)).toMatchObject(refused);
    expect((await attempt(spoil, '12')).failed).toMatchObject({
      operation: 'user',
      detail: expect.stringContaining('etc/passwd'),
    });
  });

  test('sixteen megabytes without a newline, then the user', async () => {
    const long = `x:${'y'.repeat(8 << 20)}\napp:x:1234:5:${'z'.repeat(1 << 20)}:/:\n`;
    expect(await attempt((rootfs) => rootfs.write('etc/passwd', long))).toMatchObject({
      started: { uid: 1234, gid: 5 },
    });
    expect(await attempt((rootfs) => rootfs.write('etc/passwd', `${long}${'w'.repeat(9 << 20)}`), '1')).toMatchObject(
      refused,
    );
  });

  test('broken lines are nobody', async () => {
    const lines =
      ':::::\n\napp\napp:x\napp:x:\napp:x:-0:0::/:\napp:x:0x0:0::/:\napp:x:4294967296:0::/:\napp:x: 0:0::/:\napp:x:7:8:::\n';
    expect(await attempt((rootfs) => rootfs.write('etc/passwd', lines))).toMatchObject({ started: { uid: 7, gid: 8 } });
    expect(await attempt((rootfs) => rootfs.write('etc/passwd', lines.slice(0, -12)))).toMatchObject(refused);
  });

  test('none at all: numbers are enough, names are not', async () => {
    expect(await attempt(() => {}, '12:13')).toMatchObject({ started: { uid: 12, gid: 13 } });
    expect(await attempt(() => {})).toMatchObject(refused);
  });

  test('a million groups', async () => {
    const groups = (count: number) => Array.from({ length: count }, (_, i) => `g${i}:x:${i + 5}:app\n`).join('');
    const spoil = (count: number) => (rootfs: Rootfs) => {
      rootfs.write('etc/passwd', 'app:x:1:1::/:\n');
      rootfs.write('etc/group', groups(count));
    };
    expect(await attempt(spoil(65_000))).toMatchObject({ started: { uid: 1 } });
    expect(await attempt(spoil(200_000))).toMatchObject({ started: undefined, failed: { operation: 'groups' } });
    expect(await attempt(spoil(1_000_000))).toMatchObject({ started: undefined, failed: expect.anything() });
  });

  test('a home with a newline can add no variable', async () => {
    const { stdout } = await runShellIn('app:x:1:1::/home\nEVIL=1:/bin/sh\n');
    expect(stdout).not.toMatch(/^EVIL/m);
  });

  async function runShellIn(passwd: string) {
    using rootfs = new Rootfs();
    rootfs.write('etc/passwd', passwd);
    return await runShell(rootfs, 'env', { user: 'app' });
  }

  test('an account file that is no ordinary one is not even opened', async () => {
    using rootfs = new Rootfs();
    const fifo = rootfs.at('etc/passwd');
    rmSync(fifo);
    execFileSync('mkfifo', [fifo]);
    // It goes on once somebody opens the other end.
    const writer = spawn('sh', ['-c', `echo opened > '${fifo}'`]);
    await delay(200);
    const { failed } = await run(rootfs, containerProcess(['true']));
    expect(failed).toMatchObject({ operation: 'user', detail: 'etc/passwd is not an ordinary file' });
    await delay(200);
    expect(writer.exitCode).toBeNull();
    expect(readFileSync(fifo, 'utf8'), 'the positive control').toBe('opened\n');
  });
});
