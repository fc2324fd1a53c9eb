import { describe, expect, test } from 'vitest';
import { parseContainerOptions, parseExecOptions } from '../../src/container/options.ts';

describe('container options', () => {
  test('nothing given: every default', () => {
    expect(parseContainerOptions({})).toMatchObject({
      tty: false,
      stdin: false,
      init: false,
      mounts: [],
      devices: [],
      shmSize: 67_108_864,
      umask: 0o022,
      seccomp: 'default',
      stopTimeout: 10,
      resources: {},
      capabilities: { add: [], drop: [] },
    });
  });

  test("Docker's short forms mean the same as the long ones", () => {
    const parsed = parseContainerOptions({
      env: { A: '1', B: '' },
      devices: ['/dev/fuse', '/dev/sda:/dev/xvda', '/dev/sda:/dev/xvdb:r', '/dev/null:rw', { hostPath: '/dev/zero' }],
      deviceRules: ['c 10:* rwm', 'a *:* m'],
      namespaces: { network: 'container:web', pid: { container: 'db' }, ipc: 'host' },
      ulimits: { nofile: 100, core: { soft: 0, hard: -1 } },
      log: 'none',
      mode: { driver: 'normal' },
      shmSize: '1m',
      stopSignal: 'quit',
      sysctls: { 'kernel.shmmax': 5 },
      apparmor: 'unconfined',
      mounts: [{ type: 'bind', source: '/a', target: '/b/./c/' }],
    });
    expect(parsed).toMatchObject({
      env: ['A=1', 'B='],
      devices: [
        { hostPath: '/dev/fuse', path: '/dev/fuse', access: 'rwm' },
        { hostPath: '/dev/sda', path: '/dev/xvda', access: 'rwm' },
        { hostPath: '/dev/sda', path: '/dev/xvdb', access: 'r' },
        { hostPath: '/dev/null', path: '/dev/null', access: 'rw' },
        { hostPath: '/dev/zero', path: '/dev/zero', access: 'rwm' },
      ],
      deviceRules: [
        { allow: true, type: 'c', major: 10, minor: null, access: 'rwm' },
        { allow: true, type: 'a', major: null, minor: null, access: 'm' },
      ],
      namespaces: { network: { container: 'web' }, pid: { container: 'db' }, ipc: 'host' },
      ulimits: { nofile: { soft: 100, hard: 100 }, core: { soft: 0, hard: -1 } },
      log: { driver: 'none', options: {} },
      mode: { driver: 'normal', options: {} },
      shmSize: 1_048_576,
      stopSignal: 3,
      sysctls: { 'kernel.shmmax': '5' },
      apparmor: null,
      mounts: [
        {
          type: 'bind',
          source: '/a',
          target: '/b/c',
          readonly: false,
          recursive: true,
          propagation: 'rprivate',
          options: [],
        },
      ],
    });
  });

  test('what it gives can be kept as JSON and read again', () => {
    const options = {
      command: ['sh'],
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
      resources: { memory: '64m', pids: 3 },
      labels: { a: 'b' },
    };
    expect(parseContainerOptions(JSON.parse(JSON.stringify(options)))).toEqual(parseContainerOptions(options));
  });

  test.each<[object, RegExp]>([
    [{ comand: [] }, /unknown option 'comand' \(known: name, command/],
    [{ resources: { memroy: 1 } }, /unknown option 'resources\.memroy'/],
    [{ env: ['A'] }, /write 'NAME=value'/],
    [{ env: ['=x'] }, /env/],
    [{ env: { 'A=B': 'x' } }, /env/],
    [{ env: ['A=\0'] }, /NUL/],
    [{ command: ['a\0b'] }, /command\.0: a NUL/],
    [{ workingDirectory: 'x' }, /workingDirectory: write an absolute path/],
    [{ workingDirectory: '/a/../b' }, /'\.\.' is not allowed/],
    [
      { mounts: [{ type: 'bind', source: 'a', target: '/b' }] },
      /mounts\.0\.source: write an absolute path of the host/,
    ],
    [{ mounts: [{ type: 'bind', source: '/a', target: '/b/../../etc' }] }, /mounts\.0\.target/],
    [{ mounts: [{ type: 'bind', source: '/a', target: '/b', propagation: 'rshared' }] }, /propagation/],
    [{ mounts: [{ type: 'nfs', target: '/b' }] }, /mounts\.0/],
    [{ devices: ['/dev/a:/dev/b:rw:x'] }, /devices\.0/],
    [{ devices: ['dev'] }, /devices\.0/],
    [{ deviceRules: ['c 1:3'] }, /deviceRules\.0: write a rule/],
    [{ namespaces: { pid: 'shared' } }, /namespaces\.pid/],
    [{ namespaces: { net: 'host' } }, /unknown option 'namespaces\.net'/],
    [{ ulimits: { nofile: { soft: 5, hard: 4 } } }, /soft limit cannot be more/],
    [{ ulimits: { nofile: 1e18 } }, /ulimits\.nofile/],
    [{ ulimits: { nofiles: 1 } }, /nofiles/],
    [{ umask: 0o1000 }, /umask/],
    [{ shmSize: '1e999' }, /shmSize: .*size/],
    [{ stopSignal: 'SIGNOT' }, /stopSignal.*signal/],
    [{ stopTimeout: -1 }, /stopTimeout/],
    [{ oomScoreAdj: 1001 }, /oomScoreAdj/],
    [{ hostname: 'a b' }, /hostname/],
    [{ groups: [''] }, /groups\.0/],
    [{ tty: 'yes' }, /tty/],
    [null as unknown as object, /options/],
    ['x' as unknown as object, /options/],
  ])('refuses %o', (options, sentence) => {
    expect(() => parseContainerOptions(options)).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION', message: expect.stringMatching(sentence) }),
    );
  });

  test('a key called __proto__ makes nothing of itself', () => {
    const parsed = parseContainerOptions(JSON.parse('{"labels":{"__proto__":"x"},"env":{"__proto__":"y"}}'));
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(Object.getPrototypeOf(parsed.labels)).toBe(Object.prototype);
  });
});

test('exec options', () => {
  expect(parseExecOptions({ env: { A: 'b' }, user: 'app' })).toMatchObject({
    env: ['A=b'],
    user: 'app',
    privileged: false,
    tty: false,
  });
  expect(() => parseExecOptions({ usr: 'x' })).toThrow(/unknown option 'usr'/);
});
