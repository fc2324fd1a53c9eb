/** Catalogue 1B: an image's config as input. */
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseContainerOptions } from '../../src/container/options.ts';
import { compileStart, type StartContext } from '../../src/container/spec/index.ts';
import { loadNativeBinding } from '../../src/native/binding.ts';
import { locateNative } from '../../src/native/loader.ts';
import { encodeStart, type StartRequest } from '../../src/native/protocol.ts';
import { parseImageConfig } from '../../src/oci/image-config.ts';
import { compileSeccompProfile } from '../../src/seccomp/index.ts';
import { Rootfs } from '../native/support/rootfs.ts';
import { Canary } from '../support/canary.ts';
import { buildImage, hostArchitecture, layoutOf, writeFiles } from '../support/image-fixtures.ts';
import { describeWith } from '../support/requires.ts';
import { context } from '../support/spec-context.ts';
import { openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** Imports busybox with a config of the attacker's, through files as they come from elsewhere. */
async function importImage(
  { runtime, root }: TestRuntime,
  config: Record<string, unknown>,
  spoil: (rootfs: Rootfs) => void = () => {},
): Promise<string> {
  using rootfs = new Rootfs();
  spoil(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs.path, '-c', '.'], { maxBuffer: 64 << 20 });
  const layout = writeFiles(join(root, '..', 'layout'), layoutOf(buildImage({ layers: [{ tar }], config })));
  return (await runtime.images.import({ kind: 'oci-layout', path: layout })).id;
}

describeWith(
  { root: true, tools: ['busybox', 'tar'] },
  'CVE-2022-23648: volumes of an image whose path leads out',
  () => {
    /** As an engine that fills a new volume with what the image has there, by path. */
    const copyUp = (rootfs: Rootfs, volume: string, into: string): void => {
      execFileSync('cp', ['-a', `${join(rootfs.path, volume)}/.`, into]);
    };

    test.each(['/../../canary', '/data/../../../canary', '..', 'data', '/a/..'])(
      '%j: no container is made',
      async (volume) => {
        await using opened = await openRuntime();
        const image = await importImage(opened, { Cmd: ['true'], Volumes: { [volume]: {} } });
        await expect(opened.runtime.run({ image })).rejects.toMatchObject({ code: 'HAKO_ERR_INVALID_IMAGE' });
        expect(await opened.runtime.containers.list()).toEqual([]);
      },
    );

    test.each(['absolute', 'relative'])(
      'the volume’s directory is a link, %s: nothing is copied through it',
      async (kind) => {
        await using opened = await openRuntime();
        const canary = new Canary(join(opened.root, '../canary'));
        const target = kind === 'absolute' ? canary.path : `../../../../../..${canary.path}`;
        const spoil = (rootfs: Rootfs): void => symlinkSync(target, rootfs.at('data'));
        const image = await importImage(opened, { Volumes: { '/data': {}, '/data/etc': {} } }, spoil);
        const command = [
          'sh',
          '-c',
          'cat /data/etc/passwd; busybox find / -xdev -name emptied; echo x > /data/new; echo end',
        ];
        const { stdout } = await opened.runtime.run({ image, command });
        expect(stdout.toString()).toBe('end\n');
        expect(canary.damage).toBeUndefined();
      },
    );

    test('the positive control: a copy by path brings the host’s files in', async () => {
      await using opened = await openRuntime();
      const canary = new Canary(join(opened.root, '../canary'));
      using rootfs = new Rootfs();
      using volume = new Rootfs();
      symlinkSync(canary.path, rootfs.at('data'));
      copyUp(rootfs, '/data', volume.path);
      expect(volume.read('etc/passwd')).toBe(canary.secret);
      using other = new Rootfs();
      copyUp(rootfs, `/..${canary.path.slice('/tmp'.length)}`, other.path);
      expect(other.read('etc/passwd')).toBe(canary.secret);
    });
  },
);

describeWith({ root: true, tools: ['busybox', 'tar'] }, 'CVE-2026-57231: the service’s environment', () => {
  const secret = 'canary-of-the-environment';
  const entries = [
    'PATH=/bin',
    'FOO',
    '*',
    'A*',
    'ENGINE_SECRET',
    'ENGINE_*',
    '=x',
    '',
    'ENGINE_SECRET_2=',
    '$ENGINE_SECRET',
  ];
  const command = ['sh', '-c', 'env; cat /proc/self/environ /proc/1/environ; echo "$ENGINE_SECRET"'];

  test('none of it is in a container, whatever the image asks for, or the caller', async () => {
    await using opened = await openRuntime();
    const { runtime } = opened;
    process.env['ENGINE_SECRET'] = secret;
    try {
      const image = await importImage(opened, { Env: entries });
      const { ignored, defaults } = (await runtime.images.get(image)).config;
      expect(defaults.env).toEqual(['PATH=/bin', 'ENGINE_SECRET_2=']);
      expect(ignored.map(({ value }) => value)).toEqual(entries.filter((entry) => !defaults.env.includes(entry)));
      const container = await runtime.containers.create({ image, command: ['sleep', '1000'] });
      await container.start();
      const outputs = [await runtime.run({ image, command }), await container.exec(command)];
      for (const { stdout, exitCode } of outputs) {
        expect(exitCode).toBe(0);
        expect(stdout.toString()).toContain('ENGINE_SECRET_2=\n');
        expect(stdout.toString()).not.toContain(secret);
      }
      // The positive control: an engine that takes what has no value from its own environment.
      const naive = Object.fromEntries(
        entries.flatMap((entry) => {
          const pattern = new RegExp(`^${entry.replaceAll('$', '\\$').replaceAll('*', '.*')}$`);
          return Object.entries(process.env).filter(([name]) => pattern.test(name));
        }),
      );
      const misled = await runtime.run({ image, command, env: { ...naive, PATH: '/bin' } as Record<string, string> });
      expect(misled.stdout.toString()).toContain(secret);
    } finally {
      delete process.env['ENGINE_SECRET'];
    }
  });
});

describe('CVE-2014-6408, CVE-2026-53488, CVE-2026-94603, CVE-2026-121885: images that would choose how they are isolated', () => {
  const names = [
    'io.containers.checkpoint',
    'io.podman.annotations.checkpoint.name',
    'io.podman.annotations.privileged',
    'io.podman.annotations.seccomp',
    'containerd.io/restart.status',
    'containerd.io/restart.loguri',
    'io.kubernetes.cri-o.userns-mode',
    'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel',
    'PODMAN_SYSTEMD_UNIT',
    'io.containers.autoupdate',
    'io.hako.mode',
    'hako.privileged',
    'privileged',
    'com.docker.security.apparmor',
    'org.opencontainers.image.stopSignal',
    'run.oci.seccomp',
    'run.oci.keep_original_groups',
    'run.oci.handler',
    'org.systemd.property.CPUQuota',
    'cdi.k8s.io/x',
    'nvidia.cdi',
    '__proto__',
    'constructor',
  ];
  const values = [
    'true',
    'TRUE',
    '1',
    'unconfined',
    'host',
    'privileged',
    'running',
    'binary:///bin/sh',
    'x.service',
    'vendor.com/gpu=all',
  ];
  const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'));
  const word = fc.oneof(fc.constantFrom(...values), text);
  const marks = fc.dictionary(fc.oneof(fc.constantFrom(...names), text), word, { maxKeys: 8 });
  const words = fc.array(word, { maxLength: 4 });
  const path = fc.array(fc.oneof(fc.constantFrom('data', 'dev', 'etc', 'run', 'tmp', 'srv'), text), { maxLength: 4 });
  const directory = path.map((parts) => `/${parts.map((part) => part.replaceAll('/', '')).join('/')}`);
  const optional = { requiredKeys: [] };
  const config = fc.record(
    {
      Labels: marks,
      Annotations: marks,
      Env: fc.array(
        fc.oneof(
          fc.tuple(word, word).map((pair) => pair.join('=')),
          word,
        ),
        { maxLength: 8 },
      ),
      Volumes: fc.dictionary(directory, fc.constant({}), { maxKeys: 4 }),
      User: word,
      WorkingDir: directory,
      Entrypoint: words,
      Cmd: words,
      Shell: words,
      OnBuild: words,
      StopSignal: fc.constantFrom('', 'SIGKILL', '9', 'SIGRTMIN+3', 'nonsense'),
      ExposedPorts: fc.dictionary(fc.constantFrom('80/tcp', '0/udp', 'x'), fc.constant({})),
      Healthcheck: fc.record({ Test: words, Interval: fc.nat(), Retries: fc.nat() }, optional),
      SecurityOpt: words,
      Privileged: fc.boolean(),
      MacAddress: word,
      NetworkDisabled: fc.boolean(),
      CgroupParent: word,
    },
    optional,
  );
  const document = fc.record(
    {
      os: fc.constant('linux'),
      architecture: fc.constant(hostArchitecture),
      rootfs: fc.constant({ type: 'layers', diff_ids: [] }),
      config,
      annotations: marks,
      host_config: fc.record(
        { Privileged: fc.boolean(), CapAdd: words, SecurityOpt: words, Binds: words, PidMode: word },
        optional,
      ),
      history: fc.array(fc.record({ created_by: word, comment: word }, optional), { maxLength: 3 }),
    },
    { requiredKeys: ['os', 'architecture', 'rootfs', 'config'] },
  );

  /** What the supervisor is told, byte for byte, less what an image may choose: its program, and how that begins. */
  const security = ({ process, ...request }: StartRequest): Buffer =>
    encodeStart({ ...request, process: { ...process, argv: [], env: [], cwd: '/', user: '' } });

  type Compile = (base: StartContext, raw: Record<string, unknown>) => StartRequest;
  const compileSoundly: Compile = (base, raw) =>
    compileStart({ ...base, image: parseImageConfig(Buffer.from(JSON.stringify(raw)), 'config').defaults });
  const property = (base: StartContext, compile: Compile, seen: { compiled: number } = { compiled: 0 }) => {
    const expected = security(compileStart(base));
    return fc.property(document, (raw) => {
      let request: StartRequest;
      try {
        request = compile(base, raw);
      } catch (error) {
        // Not to be run at all is as safe.
        expect(error).toMatchObject({ code: 'HAKO_ERR_INVALID_IMAGE' });
        return;
      }
      seen.compiled++;
      expect(security(request).equals(expected)).toBe(true);
    });
  };

  /** With a real filter, so that its bytes are compared too. */
  const base = async (): Promise<StartContext> => {
    const sound = await context({ command: ['/x'] });
    const seccomp = await compileSeccompProfile({
      profile: sound.plan.seccomp,
      architecture: sound.host.architecture,
      capabilities: sound.plan.capabilities.bounding,
      kernel: sound.host.kernel,
      native: loadNativeBinding(locateNative()),
    });
    return { ...sound, seccomp };
  };

  test('of any image the isolation is to the byte that of one which says nothing', async () => {
    const seen = { compiled: 0 };
    fc.assert(property(await base(), compileSoundly, seen), { numRuns: 500 });
    expect(seen.compiled).toBeGreaterThan(200);
  });

  test('the positive controls: engines that heed a label, an annotation or a field of the image are found out', async () => {
    const sound = await base();
    const privileged = parseContainerOptions({ capabilities: { add: ['ALL'] } });
    const misled = await context({ command: ['/x'], capabilities: privileged.capabilities });
    type Raw = { config: { Labels?: object; SecurityOpt?: string[] }; annotations?: object };
    const heeds =
      (chooses: (raw: Raw) => boolean): Compile =>
      (base, raw) =>
        compileSoundly(chooses(raw as Raw) ? { ...misled, seccomp: null } : base, raw);
    for (const chooses of [
      ({ config: { Labels = {} } }: Raw) => 'io.podman.annotations.privileged' in Labels,
      ({ annotations = {} }: Raw) => 'io.containers.checkpoint' in annotations,
      ({ config: { SecurityOpt = [] } }: Raw) => SecurityOpt.includes('unconfined'),
    ])
      expect(fc.check(property(sound, heeds(chooses)), { numRuns: 2000, endOnFailure: true }).failed).toBe(true);
  });
});
