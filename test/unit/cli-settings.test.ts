import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { HakoError } from 'libhako';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseChanges } from '../../src/cli/commands/commit-changes.ts';
import { parseWords } from '../../src/cli/options.ts';
import { containerOptions, containerSettings } from '../../src/cli/settings/index.ts';
import { resourceChanges, resourceOptions } from '../../src/cli/settings/resources.ts';
import { parseContainerOptions } from '../../src/container/options.ts';
import { seccompProfile, settings } from '../peers/docker-settings/settings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hako-cli-settings-'));
const files = { directory: '/srv/files', seccomp: join(scratch, 'seccomp.json') };

function given(flags: readonly string[]) {
  const { values } = parseWords(containerOptions, flags, { leading: true, command: 'hako run' });
  const { image: _, ...rest } = containerSettings(values, 'img', []);
  return rest;
}

const parsed = (flags: readonly string[]) => parseContainerOptions(given(flags));

describe('the flags of docker run', () => {
  beforeAll(() => writeFileSync(files.seccomp, seccompProfile));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  // The very settings that are compared with what dockerd makes of them.
  it.each(settings(files).map(({ flags, options }) => [flags.join(' '), flags, options] as const))(
    'mean the same in hako: %s',
    (_name, flags, options) => {
      expect(parsed(flags)).toEqual(parseContainerOptions({ env: {}, labels: {}, ...options }));
    },
  );

  it.each<[readonly string[], object]>([
    [['--rm'], { autoRemove: true }],
    [['--restart', 'on-failure:3'], { restart: 'on-failure:3' }],
    [['--stop-signal', 'QUIT', '--stop-timeout', '3'], { stopSignal: 'QUIT', stopTimeout: 3 }],
    [['--log-driver', 'none'], { log: { driver: 'none', options: {} } }],
    [['--log-opt', 'max-size=1m'], { log: { driver: 'json-file', options: { 'max-size': '1m' } } }],
    [
      ['--health-cmd', 'true', '--health-interval=5s', '--health-retries', '2'],
      { healthcheck: { test: 'true', interval: '5s', retries: 2 } },
    ],
    [['--health-tcp', '80'], { healthcheck: { tcp: 80 } }],
    [['--health-http', '80'], { healthcheck: { http: { port: 80 } } }],
    [['--health-http', '80/healthz?x'], { healthcheck: { http: { port: 80, path: '/healthz?x' } } }],
    [['--no-healthcheck'], { healthcheck: { test: ['NONE'] } }],
    [['--mode', 'rootless'], { mode: 'rootless' }],
    [['--userns=auto'], { mode: { driver: 'normal', options: { userns: 'auto' } } }],
    [
      ['--net', 'container:web', '--pid=container:web'],
      { namespaces: { network: { container: 'web' }, pid: { container: 'web' } } },
    ],
    [['--network=none', '--ipc', 'shareable'], { namespaces: { network: 'private', ipc: 'private' } }],
    [['--entrypoint', ''], { entrypoint: [] }],
    [['--umask', '0077'], { umask: 0o77 }],
    [['--security-opt', 'no-new-privileges:false', '--security-opt', 'label=disable'], { noNewPrivileges: false }],
    [
      ['--security-opt', 'apparmor=mine', '--security-opt', 'seccomp=builtin'],
      { apparmor: 'mine', seccomp: 'default' },
    ],
    [['-m', '0', '--cpus=0', '--pids-limit', '-1'], { resources: { pids: -1 } }],
    [['--memory=64m', '--memory-swap=-1'], { resources: { memory: '64m', memorySwap: -1 } }],
    [['--ulimit', 'core=unlimited'], { ulimits: { core: -1 } }],
    [
      ['-v', '/a:/b:rw,z,rslave,noexec'],
      { mounts: [{ type: 'bind', source: '/a', target: '/b', propagation: 'rslave', options: ['noexec'] }] },
    ],
    [['-v', './x:/b'], { mounts: [{ type: 'bind', source: join(process.cwd(), 'x'), target: '/b' }] }],
    [
      ['--mount', 'type=bind,src=/a,dst=/b,readonly,bind-propagation=private'],
      { mounts: [{ type: 'bind', source: '/a', target: '/b', readonly: true, propagation: 'private' }] },
    ],
    [['--tmpfs', '/t:rw,exec,noatime'], { mounts: [{ type: 'tmpfs', target: '/t', options: ['exec', 'noatime'] }] }],
  ])('%j', (flags, options) => {
    expect(parsed(flags)).toEqual(parseContainerOptions({ env: {}, labels: {}, ...options }));
  });

  it.each<[readonly string[], object]>([
    [['-v', '/a:/b:idmap'], { idmap: true }],
    [['--mount', 'type=bind,source=/a,target=/b,idmap,bind-recursive=disabled'], { idmap: true, recursive: false }],
  ])('%j', (flags, options) => {
    expect(given(flags).mounts).toMatchObject([options]);
  });

  it('are settings or a HakoError, whatever is given for them', () => {
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', '/', ':', '=', ',', '0', '-', '.') }),
      fc.constantFrom(
        'container:',
        'type=bind,source,target',
        '/a:/b:size=1',
        'seccomp=/',
        'seccomp:/dev/null',
        '__proto__=1',
      ),
    );
    const flag = fc
      .constantFrom(...Object.entries(containerOptions))
      .filter(([name]) => name !== 'env-file' && name !== 'label-file')
      .chain(([name, { type }]) =>
        type === 'flag' ? fc.constant(`--${name}`) : value.map((text) => `--${name}=${text}`),
      );
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 4 }), (flags) => {
        try {
          parsed(flags);
        } catch (error) {
          if (!(error instanceof HakoError)) throw error;
          expect(error.message).toMatch(/\S[.:]?$/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('read variables and labels from files, and from here', () => {
    const file = join(scratch, 'pairs');
    writeFileSync(file, '\ufeff# note\n\nA=from file\n  B="quoted"\r\nHERE\nABSENT_HERE\n');
    vi.stubEnv('HERE', 'here');
    const { env, labels } = given([
      '--env-file',
      file,
      '-e',
      'A=given',
      '-e',
      'HERE',
      '--label-file',
      file,
      '-l',
      'bare',
    ]);
    vi.unstubAllEnvs();
    expect(env).toEqual({ A: 'given', B: '"quoted"', HERE: 'here' });
    expect(labels).toEqual({ A: 'from file', B: '"quoted"', HERE: '', ABSENT_HERE: '', bare: '' });
  });

  it.each<[readonly string[], RegExp]>([
    [['--privileged', '--mode', 'normal'], /contradict/],
    [['--userns', 'keep-id'], /write auto or host/],
    [['--userns', 'auto', '--privileged'], /--userns is for the mode normal/],
    [['--no-healthcheck', '--health-cmd', 'x'], /contradict/],
    [['--health-http', 'localhost:80'], /PORT/],
    [['--ulimit', 'nofile'], /--ulimit: 'nofile' is none/],
    [['--ulimit', 'nofile=1:2:3'], /is none/],
    [['--mount', 'type=volume,target=/x'], /is none/],
    [['--mount', 'type=bind,source=/a,target=/b,nonsense=1'], /because of nonsense/],
    [['--tmpfs', '/t:nr_inodes=3'], /no option 'nr_inodes'/],
    [['--device-read-bps', 'sda:1m'], /write \/dev\/name:RATE/],
    [['--security-opt', 'seccomp=/no/such'], /cannot be read \(ENOENT\)/],
    [['--security-opt', 'label=type:x'], /is not known/],
  ])('%j is refused', (flags, sentence) => {
    expect(() => parsed(flags)).toThrow(sentence);
  });
});

describe('hako update', () => {
  it('takes limits away by 0', () => {
    const { values } = parseWords(resourceOptions, ['-m', '0', '--cpus', '1.5', '--cpu-quota=-1'], {
      leading: false,
      command: 'hako update',
    });
    expect(resourceChanges(values)).toEqual({ memory: null, cpus: 1.5, cpuQuota: null });
  });
});

describe('hako commit --change', () => {
  it('reads instructions of a Dockerfile', () => {
    expect(
      parseChanges([
        ...['CMD ["a", "b"]', 'entrypoint run it', 'ENV A=1', 'ENV B two words', 'ENV C="q"', 'EXPOSE 80 53/udp'],
        ...[
          'LABEL x=y',
          'LABEL z="1 2"',
          'USER app',
          'WORKDIR /w',
          'VOLUME ["/v"]',
          'VOLUME /x /y',
          'STOPSIGNAL INT',
          'ONBUILD RUN x',
        ],
      ]),
    ).toEqual({
      cmd: ['a', 'b'],
      entrypoint: ['/bin/sh', '-c', 'run it'],
      env: ['A=1', 'B=two words', 'C=q'],
      exposedPorts: ['80/tcp', '53/udp'],
      labels: { x: 'y', z: '1 2' },
      user: 'app',
      workingDir: '/w',
      volumes: ['/v', '/x', '/y'],
      stopSignal: 'INT',
      onBuild: ['RUN x'],
    });
  });

  it.each(['RUN x', 'CMD', 'ENV =x', 'ENV x', '', 'constructor x'])('refuses %j', (change) => {
    expect(() => parseChanges([change])).toThrow(/^--change: /);
  });
});
