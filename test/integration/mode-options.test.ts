import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { Rootfs } from '../native/support/rootfs.ts';
import {
  IsolatedContainer,
  type IsolatedOptions,
  ownByMappedRoot,
  runIsolated,
  thisHost,
} from '../support/isolated-run.ts';
import { describeWith } from '../support/requires.ts';
import { asSingleId } from '../support/single-id.ts';

/** What each mode is run as: with a root filesystem that its root owns. */
const modes: Readonly<Record<string, (rootfs: Rootfs) => Promise<IsolatedOptions>>> = {
  normal: async () => ({ mode: 'normal' }),
  'normal with ids of its own': async () => ({ mode: 'normal', modeOptions: { userns: 'auto' } }),
  privileged: async () => ({ mode: 'privileged' }),
  rootless: async (rootfs) => {
    ownByMappedRoot(rootfs, await thisHost());
    return { mode: 'rootless' };
  },
  'rootless with a single id': async (rootfs) => asSingleId(rootfs, await thisHost()),
};

type Settings = IsolatedOptions['settings'];

const bit = (...capabilities: readonly number[]): string =>
  capabilities
    .reduce((set, capability) => set | (1n << BigInt(capability)), 0n)
    .toString(16)
    .padStart(16, '0');
const [CAP_CHOWN, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN] = [0, 10, 21];
const capabilities = 'grep -E "^Cap(Eff|Bnd):" /proc/self/status | while read name set; do echo $set; done';

/** A wish, what a program inside does, what it says with the wish, and what without (where every mode says the same). */
const cases: readonly { name: string; settings: Settings; script: string; says: string; otherwise?: string }[] = [
  {
    name: 'capabilities: all dropped, one added',
    settings: { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } },
    script: capabilities,
    says: `${bit(CAP_NET_BIND_SERVICE)}\n${bit(CAP_NET_BIND_SERVICE)}\n`,
  },
  {
    name: 'capabilities: some dropped, one of none’s defaults added',
    settings: { capabilities: { drop: ['ALL'], add: ['CAP_SYS_ADMIN', 'chown'] } },
    script: `${capabilities}; mount -t tmpfs none /tmp && echo mounted`,
    says: `${bit(CAP_CHOWN, CAP_SYS_ADMIN)}\n${bit(CAP_CHOWN, CAP_SYS_ADMIN)}\nmounted\n`,
  },
  {
    name: 'devices: one of the host’s, under another name',
    settings: { devices: ['/dev/zero:/dev/other:rw'] },
    script:
      'stat -c %F:%t:%T /dev/other; head -c 3 /dev/other | wc -c; [ -c /dev/other ] && echo > /dev/other && echo written',
    says: 'character special file:1:5\n3\nwritten\n',
    otherwise: '0\n',
  },
  {
    name: 'noNewPrivileges',
    settings: { noNewPrivileges: true },
    script: 'grep -c "^NoNewPrivs:.1" /proc/self/status',
    says: '1\n',
  },
  {
    name: 'noNewPrivileges, off',
    settings: { noNewPrivileges: false },
    script: 'grep -c "^NoNewPrivs:.0" /proc/self/status',
    says: '1\n',
  },
  {
    name: 'a seccomp profile of the caller’s',
    settings: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
      },
    },
    script: 'busybox mkdir /tmp/made 2>&1; [ -d /tmp/made ] && echo made',
    says: "mkdir: can't create directory '/tmp/made': No space left on device\n",
    otherwise: 'made\n',
  },
  {
    name: 'a read-only root, with a place to write',
    settings: { readonlyRoot: true, mounts: [{ type: 'tmpfs', target: '/tmp' }] },
    script: 'echo x 2>/dev/null > /x || echo closed; echo y > /tmp/y && cat /tmp/y',
    says: 'closed\ny\n',
    otherwise: 'y\n',
  },
  {
    name: 'masked and read-only paths of the caller’s',
    settings: { maskedPaths: ['/proc/version', '/etc'], readonlyPaths: ['/tmp'] },
    script: 'wc -c < /proc/version; ls /etc | wc -l; echo x 2>/dev/null > /tmp/x || echo closed',
    says: '0\n0\nclosed\n',
  },
  {
    name: 'init: a process of hako’s reaps and passes signals on',
    settings: { init: true },
    script: 'cat /proc/1/comm; echo $$; (sleep 0.1 &) ; sleep 0.3; ps -o stat | grep -c Z',
    says: 'hako-init\n2\n0\n',
  },
];

async function run(mode: string, script: string, settings: Settings): Promise<string> {
  using rootfs = new Rootfs();
  for (const applet of ['mkdir', 'touch']) execFileSync('ln', ['-sf', 'busybox', rootfs.at(`bin/${applet}`)]);
  const isolated = (await modes[mode]?.(rootfs)) ?? {};
  const outcome = await runIsolated(rootfs, ['/bin/sh', '-c', script], {
    ...isolated,
    settings: { ...isolated.settings, ...settings },
  });
  expect(outcome.failure).toBeUndefined();
  return outcome.stdout;
}

describeWith({ root: true, tools: ['busybox', 'setpriv'] }, 'what a caller may wish for, in each mode', () => {
  describe.each(Object.keys(modes))('%s', (mode) => {
    test.each(cases)('$name', async (each) => {
      expect(await run(mode, each.script, each.settings)).toBe(each.says);
      if (each.otherwise !== undefined) expect(await run(mode, each.script, {})).toBe(each.otherwise);
    });

    test('an exec has the same, and a privileged one more', async () => {
      using rootfs = new Rootfs();
      const isolated = (await modes[mode]?.(rootfs)) ?? {};
      const settings = { capabilities: { drop: ['ALL'] }, noNewPrivileges: true };
      await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000'], { ...isolated, settings });
      await container.started();
      const look = ['/bin/sh', '-c', `${capabilities}; grep -c "^NoNewPrivs:.1" /proc/self/status`];
      expect((await container.exec(look)).stdout).toBe(`${bit()}\n${bit()}\n1\n`);
      const [effective] = (await container.exec(look, { privileged: true })).stdout.split('\n');
      expect(BigInt(`0x${effective}`) & (1n << BigInt(CAP_SYS_ADMIN))).not.toBe(0n);
    });
  });
});
