import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normal } from 'libhako/plugins/privilege/normal';
import { privileged } from 'libhako/plugins/privilege/privileged';
import { rootless } from 'libhako/plugins/privilege/rootless';
import { type ContainerId, newContainerId } from '../../src/base/ids.ts';
import { planCgroup } from '../../src/cgroup/index.ts';
import { type ContainerSettings, parseContainerOptions, parseExecOptions } from '../../src/container/options.ts';
import { checkImageVolumes, compileExec, compileStart, hostnameOf, isolationRequest, joinedNamespaces, type StartContext } from '../../src/container/spec/index.ts';
import type { HostInfo } from '../../src/contracts/host-info.ts';
import { encodeStart, type SetupOperation, type StartRequest } from '../../src/native/protocol.ts';
import type { ContainerDefaults } from '../../src/oci/image-config.ts';
import { contextOn } from '../../src/plugins/conformance/context.ts';
import { ordinaryHost, testHost } from '../../src/plugins/conformance/privilege-hosts.ts';

const id = 'a'.repeat(64) as ContainerId;
const scratch: ContainerDefaults = { env: [], entrypoint: [], cmd: ['/x'], user: '', workingDir: '', labels: {}, exposedPorts: [], volumes: [] };
const overlay = { type: 'overlay', source: 'overlay', options: ['lowerdir=/l/one:/l/two\\:x', 'upperdir=/u', 'workdir=/w', 'userxattr', 'ro'] };

async function context(settings: ContainerSettings = {}, image: Partial<ContainerDefaults> = {}, plugin: typeof normal = normal, host: HostInfo = testHost()): Promise<StartContext> {
  const options = parseContainerOptions(settings);
  const mode = await plugin.create({ ...contextOn('/nonexistent'), host }, {});
  const plan = mode.plan(await isolationRequest(options, host, (name) => name as ContainerId));
  const cgroup = planCgroup(host.cgroup, { id, resources: {}, defaultPids: 4096, deviceRules: plan.deviceRules });
  return { id, name: 'web', directory: '/r/containers/c', options, image: { ...scratch, ...image }, plan, host, hostname: hostnameOf(id, options), seccomp: null, rootMounts: [overlay], cgroup, sink: { kind: 'none' }, attach: { stdin: false, stdout: true, stderr: true }, durable: true };
}

async function start(...args: Parameters<typeof context>): Promise<StartRequest> {
  return compileStart(await context(...args));
}

const targets = (operations: readonly SetupOperation[]): string[] => operations.flatMap((operation) => ('path' in operation ? [operation.path] : []));
const at = (request: StartRequest, path: string): SetupOperation[] => request.setup.filter((operation) => 'path' in operation && operation.path === path);

describe('the order of a start', () => {
  test('a normal container', async () => {
    const { setup } = await start({ tty: true, mounts: [{ type: 'bind', source: '/b', target: '/data/deep' }, { type: 'tmpfs', target: '/data' }], sysctls: { 'net.ipv4.ip_forward': '1' }, readonlyRoot: true });
    expect(setup.map((operation) => [operation.kind, 'path' in operation ? operation.path : ''].join(' ').trim())).toEqual([
      'propagation', 'mount', 'mount /proc', 'mount /sys', 'mount /sys/fs/cgroup', 'mount /dev',
      'mknod /dev/null', 'mknod /dev/zero', 'mknod /dev/full', 'mknod /dev/random', 'mknod /dev/urandom', 'mknod /dev/tty',
      'symlink /dev/fd', 'symlink /dev/stdin', 'symlink /dev/stdout', 'symlink /dev/stderr', 'symlink /dev/core', 'symlink /dev/ptmx',
      'mount /dev/pts', 'mount /dev/shm', 'mount /dev/mqueue', 'bind /etc/hostname', 'bind /etc/hosts', 'bind /etc/resolv.conf',
      'mount /data', 'bind /data/deep', 'pivot', 'console', 'loopback', 'sysctl',
      'readonly /proc/bus', 'readonly /proc/fs', 'readonly /proc/irq', 'readonly /proc/sys', 'readonly /proc/sysrq-trigger',
      'mask /proc/acpi', 'mask /proc/asound', 'mask /proc/interrupts', 'mask /proc/kcore', 'mask /proc/keys', 'mask /proc/latency_stats', 'mask /proc/sched_debug', 'mask /proc/scsi', 'mask /proc/timer_list', 'mask /proc/timer_stats', 'mask /sys/devices/virtual/powercap', 'mask /sys/firmware', 'mask /sys/devices/system/cpu/cpu0/thermal_throttle',
      'root-attributes',
    ]);
  });

  test('every request can be said in the protocol', async () => {
    for (const plugin of [normal, privileged, rootless]) expect(encodeStart(await start({}, {}, plugin)).length).toBeGreaterThan(500);
    expect(encodeStart(await start({}, {}, rootless, ordinaryHost())).length).toBeGreaterThan(500);
  });
});

describe('filesystems', () => {
  test('the layers of an overlay are given one by one, unescaped; attributes are not options', async () => {
    expect((await start()).setup[1]).toEqual({
      kind: 'mount', type: 'overlay', source: 'overlay', path: '', attributes: 1n, target: { create: 'directory', noFollow: true },
      options: [['lowerdir+', '/l/one'], ['lowerdir+', '/l/two:x'], ['upperdir', '/u'], ['workdir', '/w'], ['userxattr', '']],
    });
  });

  test('/proc, /sys and /dev must be ordinary directories of the image', async () => {
    const request = await start();
    for (const path of ['/proc', '/sys', '/dev', '/sys/fs/cgroup', '/dev/pts', '/dev/shm']) expect(at(request, path)).toMatchObject([{ target: { noFollow: true } }]);
  });

  test("a user namespace gets the host's /proc and /sys where it may not have its own, read-only where it must be", async () => {
    const shared = await start({ namespaces: { pid: 'host', network: 'host' } }, {}, rootless, ordinaryHost());
    expect(at(shared, '/proc')).toMatchObject([{ kind: 'bind', hostPath: '/proc', recursive: true }]);
    expect(at(shared, '/sys')).toMatchObject([{ kind: 'bind', hostPath: '/sys', recursive: true, set: 1n | 2n | 4n | 8n }]);
    expect(shared.setup.some(({ kind }) => kind === 'loopback')).toBe(false);
    expect(at(await start({ namespaces: { pid: 'host' } }), '/proc')).toMatchObject([{ kind: 'mount', type: 'proc' }]);
  });

  test("/sys/fs/cgroup is read-only, also with the host's cgroup namespace (CVE-2023-25809)", async () => {
    const rdonly = (operation: SetupOperation | undefined): boolean => operation !== undefined && (('attributes' in operation ? operation.attributes : 'set' in operation ? operation.set : 0n) & 1n) === 1n;
    for (const plugin of [normal, rootless]) {
      expect(rdonly(at(await start({}, {}, plugin), '/sys/fs/cgroup')[0])).toBe(true);
      expect(rdonly(at(await start({ namespaces: { cgroup: 'host' } }, {}, plugin), '/sys/fs/cgroup')[0])).toBe(true);
    }
    expect(rdonly(at(await start({}, {}, privileged), '/sys/fs/cgroup')[0])).toBe(false);
  });

  test('v1: only the hierarchies that the container is in, shared ones by one directory and links', async () => {
    const controllers = { memory: '/cg/memory/hako', cpu: '/cg/cpu,cpuacct/hako', cpuacct: '/cg/cpu,cpuacct/hako', pids: '/cg/pids/hako', blkio: '/cg/blkio/hako' };
    const request = await start({}, {}, normal, testHost({ cgroup: { layout: 'v1', controllers, files: [], unifiedMount: null, unifiedParent: null, missing: {} } }));
    expect(targets(request.setup).filter((path) => path.startsWith('/sys/fs'))).toEqual([
      '/sys/fs/cgroup', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpuacct',
      '/sys/fs/cgroup', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu,cpuacct',
    ]);
    expect(at(request, '/sys/fs/cgroup/cpu,cpuacct')[1]).toMatchObject({ kind: 'mount', type: 'cgroup', options: [['cpu', ''], ['cpuacct', '']], target: { create: null } });
  });

  test('gid 5 owns terminals only where it is mapped', async () => {
    const options = async (host: HostInfo) => at(await start({}, {}, rootless, host), '/dev/pts').flatMap((operation) => (operation.kind === 'mount' ? operation.options.map(([key]) => key) : []));
    expect(await options(ordinaryHost())).toContain('gid');
    expect(await options(ordinaryHost({ idRanges: { supported: false, reason: 'there are none' } }))).not.toContain('gid');
  });

  test('a device that may not be made inside is bound', async () => {
    const settings = { devices: ['/dev/zero:/dev/a:rwm', '/dev/zero:/dev/b:r'] };
    const request = await start(settings);
    expect(at(request, '/dev/a')).toMatchObject([{ kind: 'mknod', major: 1, minor: 5, mode: 0o020666 }]);
    expect(at(request, '/dev/b')).toMatchObject([{ kind: 'bind', hostPath: '/dev/zero', device: true }]);
    expect(at(await start(settings, {}, rootless, ordinaryHost()), '/dev/a')).toMatchObject([{ kind: 'bind', device: true }]);
  });
});

describe("the caller's mounts", () => {
  test.each(['/', '/proc', '/proc/sys', '/sys', '/sys/fs/cgroup', '/dev', '/dev/null', '/dev/pts', '/dev/pts/0', '/dev/console', '/dev/ptmx', '/dev/fd'])('cannot lie on %s', async (target) => {
    await expect(start({ mounts: [{ type: 'tmpfs', target }] })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION', path: target });
  });

  test('cannot have one target twice, written differently', async () => {
    await expect(start({ mounts: [{ type: 'tmpfs', target: '/a' }, { type: 'tmpfs', target: '/a/./' }] })).rejects.toThrow(/Two mounts have the target \/a/);
  });

  test('may take the place of /dev/shm and of the files of /etc', async () => {
    const request = await start({ mounts: [{ type: 'bind', source: '/s', target: '/dev/shm' }, { type: 'bind', source: '/h', target: '/etc/hosts', readonly: true }] });
    expect(at(request, '/dev/shm')).toMatchObject([{ kind: 'bind', hostPath: '/s' }]);
    expect(at(request, '/etc/hosts')).toMatchObject([{ kind: 'bind', hostPath: '/h', set: 1n }]);
  });

  test('are private unless they ask for what the host mounts later', async () => {
    const propagation = async (kind: 'rprivate' | 'rslave') => {
      const request = await start({ mounts: [{ type: 'bind', source: '/s', target: '/s', propagation: kind }] });
      return [request.setup[0], at(request, '/s')[0]];
    };
    expect(await propagation('rprivate')).toMatchObject([{ propagation: 0x44000n }, { propagation: 0x44000n }]);
    expect(await propagation('rslave')).toMatchObject([{ propagation: 0x84000n }, { propagation: 0x84000n }]);
  });

  test.each(['/proc', '/proc/self', '/sys', '/dev', '/dev/null', '/', 'relative', '/../../host-canary', '/a/../../b', '/proc/../proc', '//proc//'])('an image that declares the volume %s is not run', (volume) => {
    expect(() => checkImageVolumes([volume])).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_IMAGE' }));
  });

  test('an ordinary volume is nothing to refuse', () => {
    checkImageVolumes(['/var/lib/data', '/processes', '/system', '/developer', '/data/']);
  });
});

describe('sysctls', () => {
  test.each(['kernel.core_pattern', 'kernel.hostname', 'vm.swappiness', 'fs.file-max', 'net', 'net..ipv4', 'net/../kernel/core_pattern', 'kernel/../net', '', '.net.ipv4', 'net.ipv4.ip forward', 'kernel.shmmax/../core_pattern'])('%j is not of a namespace', async (name) => {
    await expect(start({ sysctls: { [name]: '1' } })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_OPTION' });
  });

  test('those of a namespace that the container shares with the host are refused', async () => {
    await expect(start({ sysctls: { 'net.ipv4.ip_forward': '1' }, namespaces: { network: 'host' } })).rejects.toThrow(/whose network the container shares/);
    await expect(start({ sysctls: { 'kernel.shmmax': '1' }, namespaces: { ipc: 'host' } })).rejects.toThrow(/IPC/);
  });

  test('those of its own are set, with dots in names by slashes', async () => {
    const request = await start({ sysctls: { 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '2', 'net/ipv4/conf/eth0.1/forwarding': '3' } });
    expect(request.setup.filter(({ kind }) => kind === 'sysctl')).toHaveLength(3);
  });
});

describe('the process', () => {
  test.each<[ContainerSettings, Partial<ContainerDefaults>, string[]]>([
    [{}, { entrypoint: ['e'], cmd: ['c'] }, ['e', 'c']],
    [{ command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['e', 'x']],
    [{ entrypoint: ['y'] }, { entrypoint: ['e'], cmd: ['c'] }, ['y']],
    [{ entrypoint: ['y'], command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['y', 'x']],
    [{ entrypoint: [] , command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['x']],
  ])('%o on %o runs %o', async (settings, image, argv) => {
    expect((await start(settings, image)).process.argv).toEqual(argv);
  });

  test('nothing to run is an error that says so', async () => {
    await expect(start({}, { cmd: [] })).rejects.toThrow(/nothing to run.*option command/);
  });

  test('environment: the defaults, over them the image, over it the caller', async () => {
    const { process } = await start({ env: ['B=caller', 'C=x=y'], tty: true }, { env: ['PATH=/image', 'B=image'] });
    expect(process.env).toEqual(['PATH=/image', `HOSTNAME=${'a'.repeat(12)}`, 'TERM=xterm', 'B=caller', 'C=x=y']);
  });

  test('directory, user, limits', async () => {
    expect((await start({}, { workingDir: 'app', user: 'app:grp' })).process).toMatchObject({ cwd: '/app', user: 'app:grp', createCwd: true });
    expect((await start({ workingDirectory: '/w', user: '0' }, { workingDir: 'app', user: 'app' })).process).toMatchObject({ cwd: '/w', user: '0' });
    expect((await start()).process.rlimits).toEqual([{ resource: 7, soft: 1024n, hard: 1_048_576n }]);
    expect((await start({ ulimits: { nofile: 5, core: -1 } })).process.rlimits).toEqual([
      { resource: 7, soft: 5n, hard: 5n },
      { resource: 4, soft: 0xffff_ffff_ffff_ffffn, hard: 0xffff_ffff_ffff_ffffn },
    ]);
    expect((await start({}, {}, normal, testHost({ openFilesLimit: 100 }))).process.rlimits).toEqual([{ resource: 7, soft: 100n, hard: 100n }]);
  });

  test('host name and domain belong to the UTS namespace', async () => {
    expect(await start({ hostname: 'h', domainname: 'd' })).toMatchObject({ hostname: 'h', domainname: 'd' });
    expect(await start({ namespaces: { uts: 'host' } })).toMatchObject({ hostname: '', domainname: '' });
    await expect(start({ hostname: 'h', namespaces: { uts: 'host' } })).rejects.toThrow(/UTS namespace/);
  });
});

describe('namespaces', () => {
  test('what is private is made, what is shared is entered, the user namespace first', async () => {
    const other = newContainerId();
    const shared = await context({ namespaces: { network: `container:${other}`, ipc: `container:${other}` } }, {}, rootless, ordinaryHost());
    const request = compileStart(shared);
    expect(joinedNamespaces(shared.plan)).toEqual(['user', 'net', 'ipc'].map((file) => ({ container: other, file })));
    expect(request.join).toEqual([{ kind: 0x1000_0000, index: 0 }, { kind: 0x4000_0000, index: 1 }, { kind: 0x0800_0000, index: 2 }]);
    expect(request.unshare).toBe(0x0002_0000 | 0x2000_0000 | 0x0400_0000 | 0x0200_0000);
    expect(request.idMap).toEqual({ method: 'none' });
  });

  test('id maps in the kernel’s words', async () => {
    expect((await start({}, {}, rootless, ordinaryHost())).idMap).toEqual({
      method: 'helpers', uidMap: '0 1000 1\n1 100000 65536\n', gidMap: '0 1001 1\n1 200000 65536\n', denySetgroups: false, newuidmap: '/usr/bin/newuidmap', newgidmap: '/usr/bin/newgidmap',
    });
    expect((await start({}, {}, rootless, ordinaryHost({ idRanges: { supported: false, reason: 'there are none' } }))).idMap).toEqual({ method: 'direct', uidMap: '0 1000 1\n', gidMap: '0 1001 1\n', denySetgroups: true });
    expect((await start()).idMap).toEqual({ method: 'none' });
  });
});

test('nothing in an image chooses anything about isolation', async () => {
  const known = fc.constantFrom('io.hako.mode', 'hako.privileged', 'seccomp', 'apparmor', 'log', 'runtime', 'restart', 'namespaces', 'devices');
  const image: fc.Arbitrary<Partial<ContainerDefaults>> = fc.record({
    env: fc.array(fc.tuple(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/), fc.string()).map(([name, value]) => `${name}=${value.replaceAll('\0', '')}`)),
    entrypoint: fc.array(fc.string()),
    cmd: fc.array(fc.string(), { minLength: 1 }),
    user: fc.string(),
    workingDir: fc.string(),
    labels: fc.dictionary(fc.oneof(known, fc.string()), fc.string()),
    exposedPorts: fc.array(fc.string()),
    volumes: fc.array(fc.constantFrom('/data', '/var/lib/x')),
    stopSignal: fc.string(),
  });
  const security = ({ process: { argv: _, env: __, cwd: ___, user: ____, ...process }, ...request }: StartRequest) => ({ ...request, process });
  const bases = await Promise.all([normal, rootless, privileged].map((plugin) => context({ command: ['/x'] }, {}, plugin)));
  fc.assert(
    fc.property(image, fc.constantFrom(...bases), (given, base) => {
      expect(security(compileStart({ ...base, image: { ...scratch, ...given } }))).toEqual(security(compileStart(base)));
    }),
    { numRuns: 300 },
  );
});

describe('exec', () => {
  const compile = async (settings: object, base?: StartContext) => {
    const shared = base ?? (await context({ env: ['A=1'], groups: ['audio'], user: 'app', workingDirectory: '/w' }));
    return compileExec({ ...shared, command: ['x'], exec: parseExecOptions(settings), groups: shared.cgroup.groups, attach: shared.attach });
  };

  test('is as the container is, unless it says otherwise', async () => {
    const request = await compile({});
    expect(request).toMatchObject({ detached: false, stdin: false, cgroups: [`/sys/fs/cgroup/hako/${id}`], process: { user: 'app', cwd: '/w', additionalGroups: ['audio'], noNewPrivileges: true, createCwd: false, init: false } });
    expect(request.process.env).toContain('A=1');
    expect(request.process.capabilities).toMatchObject({ inheritable: 0n, ambient: 0n, effective: 0xa80425fbn });
  });

  test('another user has its own groups only; environment is added', async () => {
    expect((await compile({ user: '0', env: { A: '2', B: '3' }, workingDirectory: '/', tty: true })).process).toMatchObject({ user: '0', additionalGroups: [], cwd: '/', env: expect.arrayContaining(['A=2', 'B=3', 'TERM=xterm']) });
  });

  test('privileged: all capabilities there are, none of them inheritable', async () => {
    const { capabilities, noNewPrivileges, apparmorProfile } = (await compile({ privileged: true })).process;
    expect(capabilities).toEqual({ bounding: 0x1ff_ffff_ffffn, effective: 0x1ff_ffff_ffffn, permitted: 0x1ff_ffff_ffffn, inheritable: 0n, ambient: 0n });
    expect({ noNewPrivileges, apparmorProfile }).toEqual({ noNewPrivileges: false, apparmorProfile: '' });
  });

  test('needs a command', async () => {
    const shared = await context();
    expect(() => compileExec({ ...shared, command: [], exec: parseExecOptions({}), groups: [], attach: shared.attach })).toThrow(/exec needs a command/);
  });
});

test('compiling is quick: it is on the way of every run', async () => {
  const base = await context();
  for (let warm = 0; warm < 200; warm++) compileStart(base);
  const rounds = 500;
  const begin = performance.now();
  for (let round = 0; round < rounds; round++) compileStart(base);
  expect((performance.now() - begin) / rounds).toBeLessThan(0.2);
});
