import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Rootfs } from '../native/support/rootfs.ts';
import { type IsolatedOptions, runIsolated } from '../support/isolated-run.ts';
import { Probe, type ProbeReport, parseReport } from '../support/probe.ts';
import { describeWith } from '../support/requires.ts';

/** Tries each call in a way that fails by its arguments if it is let through, and prints what came of it. */
const callsSource = `
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, ...) do { errno = 0; long r = syscall(SYS_##name, ##__VA_ARGS__); printf("%s %d\\n", #name, r < 0 ? errno : 0); } while (0)
int main(void) {
  TRY(io_uring_setup, 0, 0); TRY(userfaultfd, -1); TRY(keyctl, -1, 0, 0, 0, 0); TRY(add_key, 0, 0, 0, 0, 0);
  TRY(request_key, 0, 0, 0, 0); TRY(kexec_load, -1, 1, 0, -1); TRY(mount, 0, 0, 0, 0, 0); TRY(unshare, CLONE_NEWUSER);
  TRY(setns, -1, 0); TRY(bpf, -1, 0, 0); TRY(perf_event_open, 0, 0, 0, -1, -1); TRY(init_module, 0, 0, 0);
  TRY(delete_module, 0, 0); TRY(swapon, 0, -1); TRY(open_by_handle_at, -1, 0, 0);
  TRY(clone3, 0, 0); TRY(personality, 0x0004000);
}`;

const EPERM = 1;
const ENOSYS = 38;

describeWith(
  { root: true, tools: ['cc', 'busybox'] },
  'section 3 of the catalogue: what a container has unless something is asked for',
  () => {
    let probe: Probe;
    let report: ProbeReport;
    let privileged: ProbeReport;
    beforeAll(async () => {
      probe = new Probe();
      [report, privileged] = [await look({}), await look({ mode: 'privileged' })];
    });
    afterAll(() => probe[Symbol.dispose]());

    async function look(isolated: IsolatedOptions): Promise<ProbeReport> {
      using rootfs = new Rootfs();
      probe.install(rootfs);
      const outcome = await runIsolated(rootfs, ['/probe'], isolated);
      expect(outcome.failure).toBeUndefined();
      return parseReport(outcome.stdout);
    }

    async function run(script: string, isolated: IsolatedOptions = {}): Promise<string> {
      using rootfs = new Rootfs();
      return (await runIsolated(rootfs, ['/bin/sh', '-c', script], isolated)).stdout;
    }

    const mount = (seen: ProbeReport, target: string): string =>
      seen.mountinfo.findLast((line) => line.split(' ')[4] === target) ?? `nothing on ${target}`;

    test('capabilities: Docker’s 14, bounding, permitted and effective; none inheritable or ambient', () => {
      const fourteen = '00000000a80425fb';
      const { CapBnd, CapPrm, CapEff, CapInh, CapAmb } = report.status;
      expect([CapBnd, CapPrm, CapEff]).toEqual([fourteen, fourteen, fourteen]);
      expect([CapInh, CapAmb]).toEqual(['0'.repeat(16), '0'.repeat(16)]);
      expect(privileged.status['CapEff']).not.toBe(fourteen);
    });

    test('no_new_privs: on (stricter than Docker)', () => {
      expect(report.status['NoNewPrivs']).toBe('1');
      expect(privileged.status['NoNewPrivs']).toBe('0');
    });

    test('masked paths: empty or absent, each of them', () => {
      const open = ({ hidden }: ProbeReport) =>
        Object.entries(hidden).filter(([, what]) => !/^(absent|empty)/.test(what));
      expect(Object.keys(report.hidden)).toEqual(
        expect.arrayContaining(
          ['acpi', 'interrupts', 'kcore', 'keys', 'timer_list', 'scsi'].map((name) => `/proc/${name}`),
        ),
      );
      expect(Object.keys(report.hidden)).toEqual(
        expect.arrayContaining(['/sys/firmware', '/sys/devices/virtual/powercap']),
      );
      expect(open(report)).toEqual([]);
      expect(open(privileged).length).toBeGreaterThan(2);
    });

    test.each(['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'])('read-only: /proc/%s', async (name) => {
      // The probe's own report of mounts says so; what is absent on this kernel has none.
      const there = (await run(`[ -e /proc/${name} ] && echo there`)).trim() === 'there';
      if (there) expect(mount(report, `/proc/${name}`)).toMatch(new RegExp(` /proc/${name} ro[ ,]`));
      expect(mount(privileged, `/proc/${name}`)).toBe(`nothing on /proc/${name}`);
    });

    describe('seccomp: calls that images do not need', () => {
      let calls: Record<string, number>;
      let unconfined: Record<string, number>;
      const tried = async (isolated: IsolatedOptions): Promise<Record<string, number>> => {
        using rootfs = new Rootfs();
        rootfs.write('calls.c', callsSource);
        execFileSync('cc', ['-w', '-O1', '-static', '-o', rootfs.at('calls'), rootfs.at('calls.c')]);
        const { stdout } = await runIsolated(rootfs, ['/calls'], isolated);
        return Object.fromEntries(
          stdout
            .trim()
            .split('\n')
            .map((line) => line.split(' '))
            .map(([name = '', errno]) => [name, Number(errno)]),
        );
      };
      beforeAll(async () => {
        calls = await tried({});
        // All that capabilities would refuse is let through as well.
        unconfined = await tried({ mode: 'privileged' });
      });

      test.each([
        'io_uring_setup',
        'userfaultfd',
        'keyctl',
        'add_key',
        'request_key',
        'kexec_load',
        'mount',
        'unshare',
        'setns',
        'bpf',
        'perf_event_open',
        'init_module',
        'delete_module',
        'swapon',
        'open_by_handle_at',
        'personality',
      ])('%s is refused', (name) => {
        expect(calls[name]).toBe(EPERM);
        expect(unconfined[name]).not.toBe(EPERM);
      });

      test('clone3 is not there, so that C libraries use clone, whose flags can be looked at', () => {
        expect(calls['clone3']).toBe(ENOSYS);
        expect(unconfined['clone3']).not.toBe(ENOSYS);
      });
    });

    test.each(['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'])('a %s namespace of its own', async (name) => {
      expect(report.namespaces[name]).not.toBe(readlinkSync(join('/proc/self/ns', name)));
      if (name === 'mnt' || name === 'cgroup') return;
      const kind = name === 'net' ? 'network' : name;
      const shared = await look({ settings: { namespaces: { [kind]: 'host' } } });
      expect(shared.namespaces[name]).toBe(readlinkSync(join('/proc/self/ns', name)));
    });

    test('devices: six, and links; no disk, no tun, no kvm', () => {
      const nodes = ({ devices }: ProbeReport) =>
        Object.entries(devices)
          .flatMap(([path, { type }]) => (type === 'char' || type === 'block' ? [path] : []))
          .filter((path) => !path.startsWith('/dev/pts/'))
          .sort();
      expect(nodes(report)).toEqual(['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`));
      expect(nodes(privileged).length).toBeGreaterThan(nodes(report).length);
    });

    test('device rules: no node of a disk or of tun can be made or opened; stricter than runc, which lets all be made', async () => {
      const script =
        'for node in "b 8 0" "c 10 200" "c 10 229" "c 1 1"; do mknod /x $node 2>/dev/null && echo made $node; done; mknod /n c 1 3 && echo null';
      expect(await run(script)).toBe('null\n');
      expect(await run(script, { mode: 'privileged' })).toContain('made b 8 0');
    });

    test.each([
      ['/proc', /rw,nosuid,nodev,noexec/],
      ['/dev', /rw,nosuid.* - tmpfs .*size=65536k,.*mode=755/],
      ['/dev/pts', /rw,nosuid,noexec,.* - devpts .*gid=5,mode=620,ptmxmode=666/],
      ['/sys', /ro,nosuid,nodev,noexec/],
      ['/sys/fs/cgroup', /ro,nosuid,nodev,noexec/],
      ['/dev/mqueue', /rw,nosuid,nodev,noexec/],
      ['/dev/shm', /rw,nosuid,nodev,noexec,.* - tmpfs .*size=65536k/],
    ])('the mount on %s', (target, options) => {
      expect(mount(report, target)).toMatch(options);
      if (target.startsWith('/sys')) expect(mount(privileged, target)).toMatch(/rw,nosuid,nodev,noexec/);
    });

    test('nothing that is mounted inside reaches the host, and nothing comes in', () => {
      for (const line of report.mountinfo) expect(line).not.toMatch(/ (shared|master):\d+ /);
    });

    test('open files: a soft limit of 1024', async () => {
      expect(report.limits['nofile']?.[0]).toBe('1024');
      const more = await look({ settings: { ulimits: { nofile: 2000 } } });
      expect(more.limits['nofile']?.[0]).toBe('2000');
    });

    test('processes: at most 4096, where Docker sets no limit', async () => {
      const limit = 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null';
      expect(await run(limit)).toBe('4096\n');
      expect(await run(limit, { settings: { resources: { pids: 77 } } })).toBe('77\n');
    });

    test('descriptors: three, and none of hako’s', () => {
      expect(Object.keys(report.descriptors).sort()).toEqual(['0', '1', '2']);
    });
  },
);
