import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkImageVolumes } from '../../src/container/spec/index.ts';
import { ownDirectory } from '../../src/container/spec/operations.ts';
import type { SetupOperation, StartRequest } from '../../src/native/protocol.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import {
  IsolatedContainer,
  type IsolatedOptions,
  type Outcome,
  ownByMappedRoot,
  runIsolated,
  thisHost,
} from '../support/isolated-run.ts';
import { Probe, type ProbeReport, parseReport } from '../support/probe.ts';
import { describeWith } from '../support/requires.ts';

const nothing = '0'.repeat(16);
const EPERM = 1;
const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];

async function run(script: string, isolated: IsolatedOptions = {}): Promise<Outcome> {
  using rootfs = new Rootfs();
  return await runIsolated(rootfs, sh(script), isolated);
}

describeWith({ root: true, tools: ['cc'] }, 'section 1A of the catalogue: starting a container', () => {
  let probe: Probe;
  beforeAll(() => {
    probe = new Probe();
  });
  afterAll(() => probe[Symbol.dispose]());

  const look = async (isolated: IsolatedOptions = {}, walk = false): Promise<ProbeReport> => {
    using rootfs = new Rootfs();
    probe.install(rootfs);
    if (isolated.mode === 'rootless') ownByMappedRoot(rootfs, await thisHost());
    const outcome = await runIsolated(rootfs, walk ? ['/probe', 'walk'] : ['/probe'], isolated);
    expect(outcome.failure).toBeUndefined();
    return parseReport(outcome.stdout);
  };
  const withSets =
    (more: Partial<StartRequest['process']['capabilities']>) =>
    (request: StartRequest): StartRequest => ({
      ...request,
      process: { ...request.process, capabilities: { ...request.process.capabilities, ...more } },
    });

  describe('CVE-2022-24769, CVE-2022-27649, CVE-2022-27650, CVE-2022-27651, CVE-2022-29162: inheritable capabilities', () => {
    test('there are none: run, exec, privileged exec, exec of a user', async () => {
      using rootfs = new Rootfs();
      probe.install(rootfs);
      await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000']);
      await container.started();
      expect((await look()).status['CapInh']).toBe(nothing);
      for (const settings of [{}, { privileged: true }, { user: 'app' }, { user: 'app', privileged: true }]) {
        expect(parseReport((await container.exec(['/probe'], settings)).stdout).status['CapInh']).toBe(nothing);
      }
    });

    test('the positive control: a plan that hands them down is seen by the same probe', async () => {
      expect((await look({ unsafe: withSets({ inheritable: 1n }) })).status['CapInh']).toBe('0000000000000001');
    });
  });

  describe('CVE-2016-8867: capabilities of a user that is not root', () => {
    test('there are none, and none ambient', async () => {
      const { status } = await look({ settings: { user: 'app', capabilities: { add: ['NET_ADMIN'], drop: [] } } });
      expect([status['CapPrm'], status['CapEff'], status['CapAmb']]).toEqual([nothing, nothing, nothing]);
      expect((await look({ settings: { user: '0' } })).status['CapAmb']).toBe(nothing);
    });

    test('the positive control: ambient ones reach that user', async () => {
      const { status } = await look({ settings: { user: 'app' }, unsafe: withSets({ inheritable: 1n, ambient: 1n }) });
      expect(status['CapEff']).toBe('0000000000000001');
    });
  });

  describe('CVE-2023-25809: the host’s control groups without a cgroup namespace', () => {
    const settings = { namespaces: { cgroup: 'host' as const } };
    const below = (report: ProbeReport): readonly string[] =>
      report.writable.filter((path) => path.startsWith('/sys/fs/cgroup/'));

    test.each(['normal', 'rootless'] as const)('%s: none of them can be written to', async (mode) => {
      expect(below(await look({ mode, settings }, true))).toEqual([]);
    });

    test('the positive control: mounted without read-only, they can', async () => {
      const unsafe = (request: StartRequest): StartRequest => ({
        ...request,
        setup: request.setup.map((operation) =>
          operation.kind === 'bind' && operation.path === '/sys/fs/cgroup' ? { ...operation, set: 0n } : operation,
        ),
      });
      expect(below(await look({ settings, unsafe }, true)).length).toBeGreaterThan(10);
    });
  });

  describe('CVE-2022-0492: release_agent, and the other files that make the host run a program', () => {
    const script = [
      'mkdir /tmp/cg && mount -t cgroup -o pids cgroup /tmp/cg && echo mounted',
      'for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger; do ( : >> $f ) 2>/dev/null && echo $f; done',
    ].join('\n');

    test('a normal container can do none of it, also not in namespaces of its own making', async () => {
      expect((await run(script)).stdout).toBe('');
      const unshared = await run(
        `busybox unshare -UrmC sh -c 'mkdir -p /tmp/cg; mount -t cgroup -o pids cgroup /tmp/cg && echo mounted'`,
      );
      expect(unshared.stdout).toBe('');
    });

    test('the positive control: a privileged one can', async () => {
      expect((await run(script, { mode: 'privileged' })).stdout).toContain('mounted\n/proc/sys/kernel/core_pattern\n');
    });
  });

  describe('CVE-2026-31431: sockets of the family AF_ALG', () => {
    test('are refused, also with bits above the 32 that the kernel looks at', async () => {
      expect((await look()).algSocket).toEqual([EPERM, EPERM]);
    });

    test('the positive control: without a filter it is not EPERM', async () => {
      expect((await look({ settings: { seccomp: 'unconfined' } })).algSocket).not.toContain(EPERM);
    });
  });

  describe('CVE-2015-3630, CVE-2015-3631: writable files of /proc and /sys', () => {
    const dangerous = /^\/(sys|proc\/(sys|irq|bus|fs|asound|timer_stats|sysrq-trigger))(\/|$)/;

    test.each(['normal', 'rootless'] as const)('%s: there are none', async (mode) => {
      expect((await look({ mode }, true)).writable.filter((path) => dangerous.test(path))).toEqual([]);
    });

    test('the positive control: a privileged container has many', async () => {
      expect(
        (await look({ mode: 'privileged' }, true)).writable.filter((path) => dangerous.test(path)).length,
      ).toBeGreaterThan(100);
    });
  });

  describe('GHSA-7ww5-4wqc-m92c, GHSA-jq35, GHSA-6fw5: side channels', () => {
    test('are hidden', async () => {
      const { hidden } = await look();
      expect(Object.entries(hidden).filter(([, state]) => /^(readable|directory)$/.test(state))).toEqual([]);
      expect(
        (await run('ls -d /sys/devices/system/cpu/cpu*/thermal_throttle/* 2>/dev/null; head -c 1 /proc/interrupts'))
          .stdout,
      ).toBe('');
    });

    test('the positive control: without masks they can be read', async () => {
      expect((await look({ settings: { maskedPaths: [] } })).hidden['/proc/interrupts']).toBe('readable');
    });
  });

  describe('CVE-2019-16884, CVE-2023-28642: something of the caller’s or the image’s over /proc', () => {
    test.each(['/proc', '/proc/self', '/sys', '/proc/./sys', '/sys//fs'])(
      'neither a mount nor a volume can be on %s',
      async (target) => {
        expect(() => checkImageVolumes([target])).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_IMAGE' }));
        await expect(run('true', { settings: { mounts: [{ type: 'tmpfs', target }] } })).rejects.toMatchObject({
          code: 'HAKO_ERR_INVALID_OPTION',
        });
        await expect(run('true', { image: { volumes: [target] } })).rejects.toMatchObject({
          code: 'HAKO_ERR_INVALID_IMAGE',
        });
      },
    );

    test('the positive control: such a mount makes masks and read-only paths void', async () => {
      const fake = {
        kind: 'mount',
        type: 'tmpfs',
        source: 'tmpfs',
        path: '/proc',
        attributes: 0n,
        options: [],
        target: ownDirectory,
      } as const;
      const unsafe = (request: StartRequest): StartRequest => ({
        ...request,
        setup: request.setup.flatMap((operation): readonly SetupOperation[] =>
          operation.kind === 'pivot' ? [fake, operation] : [operation],
        ),
      });
      const { stdout } = await run('[ -e /proc/interrupts ] || echo unmasked; mkdir /proc/sys && echo writable', {
        unsafe,
      });
      expect(stdout).toBe('unmasked\nwritable\n');
    });
  });

  describe('GO-2022-0396: odd lists of devices', () => {
    const script =
      'mknod /tmp/disk b 8 0 && echo made; dd if=/dev/zero of=/dev/null bs=1 count=1 2>/dev/null && echo zero';

    test.each<[string, IsolatedOptions['settings']]>([
      ['no devices and no rules', { devices: [], deviceRules: [] }],
      ['a device', { devices: ['/dev/full:/dev/other:r'] }],
      ['a rule', { deviceRules: ['c 1:7 r'] }],
      ['a rule that denies', { deviceRules: [{ allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' }] }],
    ])('%s: everything else is denied', async (_, settings) => {
      expect((await run(script, { settings: settings ?? {} })).stdout).toBe('zero\n');
    });

    test('the positive control: a rule that allows all does', async () => {
      expect((await run(script, { settings: { deviceRules: ['a *:* rwm'] } })).stdout).toBe('made\nzero\n');
    });
  });
});
