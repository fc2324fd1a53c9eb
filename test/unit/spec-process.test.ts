import fc from 'fast-check';
import { normal } from 'libhako/plugins/privilege/normal';
import { privileged } from 'libhako/plugins/privilege/privileged';
import { rootless } from 'libhako/plugins/privilege/rootless';
import { describe, expect, test } from 'vitest';
import { newContainerId } from '../../src/base/ids.ts';
import { type ContainerSettings, parseExecOptions } from '../../src/container/options.ts';
import { compileExec, compileStart, joinedNamespaces, type StartContext } from '../../src/container/spec/index.ts';
import type { StartRequest } from '../../src/native/protocol.ts';
import type { ContainerDefaults } from '../../src/oci/image-config.ts';
import { ordinaryHost, testHost } from '../../src/plugins/conformance/privilege-hosts.ts';
import { context, id, scratch, start } from '../support/spec-context.ts';

describe('the process', () => {
  test.each<[ContainerSettings, Partial<ContainerDefaults>, string[]]>([
    [{}, { entrypoint: ['e'], cmd: ['c'] }, ['e', 'c']],
    [{ command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['e', 'x']],
    [{ entrypoint: ['y'] }, { entrypoint: ['e'], cmd: ['c'] }, ['y']],
    [{ entrypoint: ['y'], command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['y', 'x']],
    [{ entrypoint: [], command: ['x'] }, { entrypoint: ['e'], cmd: ['c'] }, ['x']],
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
    expect((await start({}, { workingDir: 'app', user: 'app:grp' })).process).toMatchObject({
      cwd: '/app',
      user: 'app:grp',
      createCwd: true,
    });
    expect(
      (await start({ workingDirectory: '/w', user: '0' }, { workingDir: 'app', user: 'app' })).process,
    ).toMatchObject({ cwd: '/w', user: '0' });
    expect((await start()).process.rlimits).toEqual([{ resource: 7, soft: 1024n, hard: 1_048_576n }]);
    expect((await start({ ulimits: { nofile: 5, core: -1 } })).process.rlimits).toEqual([
      { resource: 7, soft: 5n, hard: 5n },
      { resource: 4, soft: 0xffff_ffff_ffff_ffffn, hard: 0xffff_ffff_ffff_ffffn },
    ]);
    expect((await start({}, {}, normal, testHost({ openFilesLimit: 100 }))).process.rlimits).toEqual([
      { resource: 7, soft: 100n, hard: 100n },
    ]);
  });

  test('a limit that the emulation of ids needs is not the caller’s', async () => {
    const emulated = { ...(await context({ ulimits: { locks: 5 } })), idEmulation: new Uint8Array(8) };
    expect(() => compileStart(emulated)).toThrow(/ulimits\.locks .* idEmulation: 'none'/);
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
    const shared = await context(
      { namespaces: { network: `container:${other}`, ipc: `container:${other}` } },
      {},
      rootless,
      ordinaryHost(),
    );
    const request = compileStart(shared);
    expect(joinedNamespaces(shared.plan)).toEqual(['user', 'net', 'ipc'].map((file) => ({ container: other, file })));
    expect(request.join).toEqual([
      { kind: 0x1000_0000, index: 0 },
      { kind: 0x4000_0000, index: 1 },
      { kind: 0x0800_0000, index: 2 },
    ]);
    expect(request.unshare).toBe(0x0002_0000 | 0x2000_0000 | 0x0400_0000 | 0x0200_0000);
    expect(request.idMap).toEqual({ method: 'none' });
  });

  test('id maps in the kernel’s words', async () => {
    expect((await start({}, {}, rootless, ordinaryHost())).idMap).toEqual({
      method: 'helpers',
      uidMap: '0 1000 1\n1 100000 65536\n',
      gidMap: '0 1001 1\n1 200000 65536\n',
      denySetgroups: false,
      newuidmap: '/usr/bin/newuidmap',
      newgidmap: '/usr/bin/newgidmap',
    });
    expect(
      (
        await start(
          {},
          {},
          rootless,
          ordinaryHost({
            idRanges: { supported: false, reason: 'there are none', remedy: 'install the package uidmap' },
          }),
        )
      ).idMap,
    ).toEqual({ method: 'direct', uidMap: '0 1000 1\n', gidMap: '0 1001 1\n', denySetgroups: true });
    expect((await start()).idMap).toEqual({ method: 'none' });
  });
});

test('nothing in an image chooses anything about isolation', async () => {
  const known = fc.constantFrom(
    'io.hako.mode',
    'hako.privileged',
    'seccomp',
    'apparmor',
    'log',
    'runtime',
    'restart',
    'namespaces',
    'devices',
  );
  const image: fc.Arbitrary<Partial<ContainerDefaults>> = fc.record({
    env: fc.array(
      fc
        .tuple(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/), fc.string())
        .map(([name, value]) => `${name}=${value.replaceAll('\0', '')}`),
    ),
    entrypoint: fc.array(fc.string()),
    cmd: fc.array(fc.string(), { minLength: 1 }),
    user: fc.string(),
    workingDir: fc.string(),
    labels: fc.dictionary(fc.oneof(known, fc.string()), fc.string()),
    exposedPorts: fc.array(fc.string()),
    volumes: fc.array(fc.constantFrom('/data', '/var/lib/x')),
    stopSignal: fc.string(),
  });
  const security = ({ process: { argv: _, env: __, cwd: ___, user: ____, ...process }, ...request }: StartRequest) => ({
    ...request,
    process,
  });
  const bases = await Promise.all(
    [normal, rootless, privileged].map((plugin) => context({ command: ['/x'] }, {}, plugin)),
  );
  fc.assert(
    fc.property(image, fc.constantFrom(...bases), (given, base) => {
      expect(security(compileStart({ ...base, image: { ...scratch, ...given } }))).toEqual(
        security(compileStart(base)),
      );
    }),
    { numRuns: 300 },
  );
});

describe('exec', () => {
  const compile = async (settings: object, base?: StartContext) => {
    const shared = base ?? (await context({ env: ['A=1'], groups: ['audio'], user: 'app', workingDirectory: '/w' }));
    return compileExec({
      ...shared,
      command: ['x'],
      exec: parseExecOptions(settings),
      groups: shared.cgroup.groups,
      attach: shared.attach,
    });
  };

  test('is as the container is, unless it says otherwise', async () => {
    const request = await compile({});
    expect(request).toMatchObject({
      detached: false,
      stdin: false,
      cgroups: [`/sys/fs/cgroup/hako/${id}`],
      process: {
        user: 'app',
        cwd: '/w',
        additionalGroups: ['audio'],
        noNewPrivileges: true,
        createCwd: false,
        init: false,
      },
    });
    expect(request.process.env).toContain('A=1');
    expect(request.process.capabilities).toMatchObject({ inheritable: 0n, ambient: 0n, effective: 0xa80425fbn });
  });

  test('another user has its own groups only; environment is added', async () => {
    expect(
      (await compile({ user: '0', env: { A: '2', B: '3' }, workingDirectory: '/', tty: true })).process,
    ).toMatchObject({
      user: '0',
      additionalGroups: [],
      cwd: '/',
      env: expect.arrayContaining(['A=2', 'B=3', 'TERM=xterm']),
    });
  });

  test('privileged: all capabilities there are, none of them inheritable', async () => {
    const { capabilities, noNewPrivileges, apparmorProfile } = (await compile({ privileged: true })).process;
    expect(capabilities).toEqual({
      bounding: 0x1ff_ffff_ffffn,
      effective: 0x1ff_ffff_ffffn,
      permitted: 0x1ff_ffff_ffffn,
      inheritable: 0n,
      ambient: 0n,
    });
    expect({ noNewPrivileges, apparmorProfile }).toEqual({ noNewPrivileges: false, apparmorProfile: '' });
  });

  test('needs a command', async () => {
    const shared = await context();
    expect(() =>
      compileExec({ ...shared, command: [], exec: parseExecOptions({}), groups: [], attach: shared.attach }),
    ).toThrow(/exec needs a command/);
  });
});

test('compiling is quick: it is on the way of every run', async () => {
  const base = await context();
  const rounds = 200;
  // The best of several rounds, since other tests share the processor.
  const times = Array.from({ length: 10 }, () => {
    const begin = performance.now();
    for (let round = 0; round < rounds; round++) compileStart(base);
    return (performance.now() - begin) / rounds;
  });
  expect(Math.min(...times)).toBeLessThan(0.2);
});
