import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capabilityMask } from '../../src/base/capabilities.ts';
import type { ContainerSettings } from '../../src/container/options.ts';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import { defaultCapabilities } from '../../src/plugins/privilege-defaults.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import type { Case } from './case.ts';
import { hostileRootCases } from './hostile-root-cases.ts';
import { IsolatedContainer, type IsolatedOptions, ownByMappedRoot, runIsolated } from './isolated-run.ts';
import { type ProbedNode, type ProbeReport, parseReport } from './probe.ts';

const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'] as const;
const hex = (names: readonly string[]): string => capabilityMask(names).toString(16).padStart(16, '0');
const nothing = '0'.repeat(16);

/** /dev of every container, by the OCI runtime spec and Docker. */
const standardDevices: Readonly<Record<string, string>> = {
  '/dev/null': 'char 1:3 666',
  '/dev/zero': 'char 1:5 666',
  '/dev/full': 'char 1:7 666',
  '/dev/random': 'char 1:8 666',
  '/dev/urandom': 'char 1:9 666',
  '/dev/tty': 'char 5:0 666',
  '/dev/fd': '-> /proc/self/fd',
  '/dev/stdin': '-> /proc/self/fd/0',
  '/dev/stdout': '-> /proc/self/fd/1',
  '/dev/stderr': '-> /proc/self/fd/2',
  '/dev/core': '-> /proc/kcore',
  '/dev/ptmx': '-> pts/ptmx',
  '/dev': 'directory 755',
  '/dev/pts': 'directory 755',
  '/dev/pts/ptmx': 'char 5:2 666',
  '/dev/shm': 'directory 1777',
  '/dev/mqueue': 'directory 1777',
};

function describeNode(node: ProbedNode): string {
  return node.type === 'link'
    ? `-> ${node.target}`
    : [node.type, node.device, node.mode].filter((part) => part !== undefined).join(' ');
}

/** Files of procfs that root may open for writing and that have nothing to write to, or only what is its own. */
const harmless =
  /^\/proc\/(1\/|[a-z-]+$|config\.gz$|pressure\/|sysvipc\/|tty\/|driver\/|dynamic_debug\/|net\/|pagetypeinfo|mpt\/)/;

interface Environment {
  /** The compiled test/native/probe.c. */
  readonly probe: string;
  readonly host: HostInfo;
}

/** How a container is isolated, as a program sees it that shares no code with hako. */
export function isolationCases({ probe, host }: Environment): readonly Case[] {
  const report = async (isolated: IsolatedOptions = {}, walk = false): Promise<ProbeReport> => {
    using rootfs = rootWithProbe(probe, host, isolated);
    const outcome = await runIsolated(rootfs, walk ? ['/probe', 'walk'] : ['/probe'], isolated);
    assert.equal(outcome.exitCode, 0, outcome.failure ?? outcome.stderr);
    return parseReport(outcome.stdout);
  };
  const root = host.capabilities.includes('CAP_SYS_ADMIN');
  const needsRoot = (): string | undefined => (root ? undefined : 'root');
  return [
    {
      name: 'normal: capabilities, no_new_privs, seccomp, ids, descriptors',
      missing: needsRoot,
      run: async () => checkNormal(await report(), host),
    },
    {
      name: 'normal: /dev, masks, and nothing of the machine can be written to',
      missing: needsRoot,
      async run() {
        const seen = await report({}, true);
        checkDevices(seen);
        checkHidden(seen);
        checkUnwritable(seen);
      },
    },
    {
      name: 'privileged: every capability and device of the host, nothing hidden',
      missing: needsRoot,
      async run() {
        const seen = await report({ mode: 'privileged' }, true);
        assert.equal(seen.status['CapEff'], hex(host.capabilities));
        assert.equal(seen.status['CapInh'], nothing);
        assert.deepEqual([seen.status['Seccomp'], seen.status['NoNewPrivs']], ['0', '0']);
        assert.ok(
          seen.writable.some((path) => path.startsWith('/sys/')),
          '/sys can be written to',
        );
        assert.ok(
          Object.keys(seen.devices).length > Object.keys(standardDevices).length,
          Object.keys(seen.devices).join(' '),
        );
      },
    },
    {
      name: 'rootless: root inside is nobody outside, and the rest is as in the normal mode',
      missing: () => (host.userNamespaces.supported ? undefined : host.userNamespaces.reason),
      async run() {
        const seen = await report({ mode: 'rootless' }, true);
        assert.equal(seen.status['CapEff'], hex(defaultCapabilities));
        assert.notEqual(seen.namespaces['user'], readlinkSync('/proc/self/ns/user'));
        assert.doesNotMatch(seen.uidMap.join('\n'), /^\s*\d+\s+0\s/m);
        assert.deepEqual(seen.uid, [0, 0]);
        checkDevices(seen);
        checkHidden(seen);
        checkUnwritable(seen);
      },
    },
    {
      name: 'rootless by an ordinary user with one id: root inside is that user, and it can have no group more',
      missing: () =>
        root && host.userNamespaces.supported
          ? existsSync('/usr/bin/setpriv')
            ? undefined
            : 'setpriv'
          : 'root, and user namespaces',
      async run() {
        const uid = 65_533;
        const none = {
          layout: 'none',
          controllers: {},
          files: [],
          unifiedMount: null,
          unifiedParent: null,
          missing: {},
        } as const;
        const user = {
          ...host,
          uid,
          gid: uid,
          capabilities: [],
          cgroup: none,
          idRanges: { supported: false, reason: 'this test gives none', remedy: 'ask for some' },
        } as const;
        using rootfs = rootWithProbe(probe, user, {});
        execFileSync('chown', ['-R', `${uid}:${uid}`, rootfs.path]);
        const outcome = await runIsolated(rootfs, ['/probe', 'walk'], { mode: 'rootless', host: user, uid });
        assert.equal(outcome.exitCode, 0, outcome.failure ?? outcome.stderr);
        const seen = parseReport(outcome.stdout);
        assert.deepEqual(
          [seen.uidMap.map((line) => line.trim().split(/\s+/)), seen.gidMap.map((line) => line.trim().split(/\s+/))],
          [[['0', String(uid), '1']], [['0', String(uid), '1']]],
        );
        assert.equal(seen.status['CapEff'], hex(defaultCapabilities));
        checkDevices(seen);
        checkHidden(seen);
        checkUnwritable(seen);
      },
    },
    {
      name: 'exec: no inheritable or ambient capabilities, of any user (CVE-2022-24769)',
      missing: needsRoot,
      run: () => checkExec(probe),
    },
    {
      name: "each namespace is the container's, or the host's when that was asked for",
      missing: needsRoot,
      run: () => checkSharedWithHost(report, host),
    },
    {
      name: 'namespaces of another container are entered, also those of a user namespace',
      run: () => checkShared(probe, host, root ? ['normal', 'rootless'] : ['rootless']),
    },
    { name: 'a terminal is on /dev/console, and of its own devpts', run: () => checkTerminal(report, root) },
    {
      name: "the caller's mounts, sysctls, limits and read-only root",
      missing: needsRoot,
      run: checkSettings,
    },
    ...hostileRootCases(root ? 'normal' : 'rootless', host),
  ];
}

function rootWithProbe(probe: string, host: HostInfo, { mode }: IsolatedOptions): Rootfs {
  const rootfs = new Rootfs();
  writeFileSync(rootfs.at('probe'), readFileSync(probe), { mode: 0o755 });
  if (mode === 'rootless') ownByMappedRoot(rootfs, host);
  return rootfs;
}

function checkNormal(seen: ProbeReport, host: HostInfo): void {
  const held = defaultCapabilities.filter((name) => host.capabilities.includes(name));
  assert.deepEqual(seen.status, {
    Umask: '0022',
    Groups: '0 10',
    CapInh: nothing,
    CapPrm: hex(held),
    CapEff: hex(held),
    CapBnd: hex(held),
    CapAmb: nothing,
    NoNewPrivs: '1',
    Seccomp: '2',
  });
  assert.deepEqual([seen.uid, seen.gid, seen.pid, seen.cwd], [[0, 0], [0, 0], 1, '/']);
  assert.deepEqual(Object.keys(seen.descriptors), ['0', '1', '2']);
  assert.equal(seen.descriptors['0'], '/dev/null');
  for (const kind of kinds)
    assert.equal(
      seen.namespaces[kind] !== readlinkSync(`/proc/self/ns/${kind}`),
      kind !== 'user' && kind !== 'time',
      `${kind} namespace`,
    );
  assert.deepEqual(seen.limits['nofile'], ['1024', String(host.openFilesLimit)]);
  // The roots of its own groups; or paths that it never entered, which are the host's.
  const own = seen.cgroup.filter((line) => /:(pids|memory|devices)?:/.test(line) || line.startsWith('0::'));
  assert.deepEqual(
    own.filter((line) => !line.endsWith(':/')),
    [],
  );
}

function checkDevices(seen: ProbeReport): void {
  assert.deepEqual(
    Object.fromEntries(Object.entries(seen.devices).map(([path, node]) => [path, describeNode(node)])),
    standardDevices,
  );
}

function checkHidden(seen: ProbeReport): void {
  for (const [path, state] of Object.entries(seen.hidden))
    assert.match(state, /^(absent|empty file|empty directory|refused)$/, path);
}

function checkUnwritable(seen: ProbeReport): void {
  assert.deepEqual(
    seen.writable.filter((path) => !harmless.test(path)),
    [],
  );
  for (const path of [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/modprobe',
    '/proc/sysrq-trigger',
    '/sys/kernel/uevent_helper',
    '/proc/sys/fs/binfmt_misc/register',
  ])
    assert.ok(!seen.writable.includes(path), path);
}

async function checkExec(probe: string): Promise<void> {
  using rootfs = new Rootfs();
  writeFileSync(rootfs.at('probe'), readFileSync(probe), { mode: 0o755 });
  await using container = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000']);
  await container.started();
  for (const [settings, permitted] of [
    [{}, /^0+a80425fb$/],
    [{ user: 'app' }, /^0+$/],
    [{ user: '0:0' }, /^0+a80425fb$/],
    [{ privileged: true }, /^0*[1-9a-f]\w{9,}$/],
  ] as const) {
    const { stdout, failure } = await container.exec(['/probe'], settings);
    assert.equal(failure, undefined);
    const { status, uid, descriptors, pid } = parseReport(stdout);
    assert.deepEqual([status['CapInh'], status['CapAmb']], [nothing, nothing], JSON.stringify(settings));
    assert.match(status['CapPrm'] ?? '', permitted, JSON.stringify(settings));
    assert.deepEqual(uid, 'user' in settings && settings.user === 'app' ? [1000, 1000] : [0, 0]);
    assert.deepEqual(Object.keys(descriptors), ['0', '1', '2']);
    assert.notEqual(pid, 1);
  }
}

async function checkSharedWithHost(
  report: (isolated: IsolatedOptions) => Promise<ProbeReport>,
  host: HostInfo,
): Promise<void> {
  const files = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' } as const;
  for (const [kind, file] of Object.entries(files)) {
    const { namespaces } = await report({ settings: { namespaces: { [kind]: 'host' } } });
    assert.equal(namespaces[file], readlinkSync(`/proc/self/ns/${file}`), kind);
    assert.notEqual(namespaces['mnt'], readlinkSync('/proc/self/ns/mnt'));
  }
  if (!host.timeNamespaces.supported) return;
  assert.notEqual(
    (await report({ settings: { namespaces: { time: 'private' } } })).namespaces['time'],
    readlinkSync('/proc/self/ns/time'),
  );
}

async function checkShared(probe: string, host: HostInfo, modes: readonly ('normal' | 'rootless')[]): Promise<void> {
  for (const mode of modes) {
    using rootfs = rootWithProbe(probe, host, { mode });
    await using other = await IsolatedContainer.launch(rootfs, ['/bin/sleep', '1000'], { mode });
    const { pid } = await other.started();
    const namespaces = {
      pid: 'container:other',
      network: 'container:other',
      ipc: 'container:other',
      uts: 'container:other',
    };
    const { stdout, failure } = await runIsolated(rootfs, ['/probe'], { mode, other, settings: { namespaces } });
    assert.equal(failure, undefined);
    const seen = parseReport(stdout).namespaces;
    for (const kind of ['pid', 'net', 'ipc', 'uts', 'user'])
      assert.equal(seen[kind], readlinkSync(`/proc/${pid}/ns/${kind}`), `${mode}: ${kind}`);
    assert.notEqual(seen['mnt'], readlinkSync(`/proc/${pid}/ns/mnt`));
  }
}

async function checkTerminal(
  report: (isolated: IsolatedOptions) => Promise<ProbeReport>,
  root: boolean,
): Promise<void> {
  const seen = await report({ mode: root ? 'normal' : 'rootless', settings: { tty: true } });
  assert.match(describeNode(seen.devices['/dev/console'] ?? { type: 'link', target: 'absent' }), /^char 136:0 /);
  assert.equal(seen.descriptors['0'], '/dev/pts/0');
  assert.ok(seen.environment.includes('TERM=xterm'));
}

async function checkSettings(): Promise<void> {
  using rootfs = new Rootfs();
  const source = mkdtempSync(join(tmpdir(), 'hako-source-'));
  const script = [
    'cat /data/file; echo',
    'echo y > /data/new && echo unreachable',
    'echo z > /data/inner/z && echo inner',
    'echo r > /root-write && echo unreachable',
    'cat /proc/sys/kernel/shmmax; ulimit -n; umask; cat /proc/self/oom_score_adj; hostname; pwd; cat /etc/hostname',
  ].join('; ');
  const settings: ContainerSettings = {
    mounts: [
      { type: 'tmpfs', target: '/data/inner' },
      { type: 'bind', source, target: '/data', readonly: true },
    ],
    readonlyRoot: true,
    sysctls: { 'kernel.shmmax': 4096 },
    ulimits: { nofile: { soft: 100, hard: 200 } },
    umask: 0o077,
    oomScoreAdj: 500,
    hostname: 'named',
    workingDirectory: '/tmp',
  };
  try {
    writeFileSync(join(source, 'file'), 'shared');
    // A target that has to be made cannot be where the source is read-only.
    const without = await runIsolated(rootfs, ['/bin/sh', '-c', script], { settings });
    assert.match(without.failure ?? '', /data\/inner/);
    mkdirSync(join(source, 'inner'));
    const { stdout, failure } = await runIsolated(rootfs, ['/bin/sh', '-c', script], { settings });
    assert.equal(failure, undefined);
    assert.deepEqual(stdout.split('\n'), [
      'shared',
      'inner',
      '4096',
      '100',
      '0077',
      '500',
      'named',
      '/tmp',
      'named',
      '',
    ]);
  } finally {
    rmSync(source, { recursive: true });
  }
}
