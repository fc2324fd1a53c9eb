import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import { errnoName, errnoNumber } from '../../src/native/errno.ts';
import { failureToError } from '../../src/native/failure.ts';
import { toHakoError } from '../../src/native/syscall-error.ts';
import { userNamespaceRemedy } from '../../src/native/user-namespace-knobs.ts';

const failed = (operation: string, errno: number, detail = 'x') =>
  failureToError({ type: 'failed', operation, errno, detail });

test('error numbers are those of the kernel', () => {
  for (const [name, number] of Object.entries(constants.errno)) {
    // Two names of one number: libc's choice is not the kernel's first.
    if (name === 'EWOULDBLOCK' || name === 'ENOTSUP') continue;
    expect([errnoName(number), errnoNumber(name)]).toEqual([name, number]);
  }
  expect(errnoName(0)).toBe('errno 0');
  expect(errnoName(41)).toBe('errno 41');
  expect(errnoNumber('-')).toBeUndefined();
});

describe("a failure of the supervisor's", () => {
  test.each([
    ['exec', constants.errno.ENOENT, 'HAKO_ERR_COMMAND_NOT_FOUND'],
    ['exec', constants.errno.EACCES, 'HAKO_ERR_COMMAND_NOT_EXECUTABLE'],
    ['exec', constants.errno.ENOEXEC, 'HAKO_ERR_COMMAND_NOT_EXECUTABLE'],
    ['exec', constants.errno.ENOMEM, 'HAKO_ERR_CONTAINER_START_FAILED'],
    ['user', 0, 'HAKO_ERR_INVALID_USER'],
    ['user', constants.errno.EINVAL, 'HAKO_ERR_INVALID_USER'],
    ['user', constants.errno.ENFILE, 'HAKO_ERR_CONTAINER_START_FAILED'],
    ['cwd', constants.errno.EIO, 'HAKO_ERR_CONTAINER_START_FAILED'],
    ['cgroup', constants.errno.ERANGE, 'HAKO_ERR_INVALID_OPTION'],
    ['groups', 0, 'HAKO_ERR_INVALID_USER'],
    ['clone', constants.errno.EPERM, 'HAKO_ERR_HOST_UNSUPPORTED'],
    ['clone', constants.errno.ENOSPC, 'HAKO_ERR_HOST_UNSUPPORTED'],
    ['clone', constants.errno.ENOMEM, 'HAKO_ERR_CONTAINER_START_FAILED'],
    ['idmap', constants.errno.EPERM, 'HAKO_ERR_HOST_UNSUPPORTED'],
    ['mount', constants.errno.ENODEV, 'HAKO_ERR_HOST_UNSUPPORTED'],
    ['bind', constants.errno.ENOENT, 'HAKO_ERR_INVALID_OPTION'],
    ['protocol', 0, 'HAKO_ERR_PROTOCOL_ERROR'],
    ['something new', constants.errno.EIO, 'HAKO_ERR_CONTAINER_START_FAILED'],
  ])('of %s with errno %i is %s', (operation, errno, code) => {
    expect(failed(operation, errno)).toMatchObject({ code, operation });
  });

  test('names the operation, the object, the error and the remedy', () => {
    const error = failed('exec', constants.errno.ENOENT, '/bin/nope');
    expect(error).toBeInstanceOf(HakoError);
    expect(error.message).toBe(
      'The command cannot be run: /bin/nope: it does not exist (ENOENT). Check the name, the PATH of the container, and, for a script or a dynamic program, that its interpreter is in the image.',
    );
    expect(error).toMatchObject({ errno: 'ENOENT', path: '/bin/nope' });
  });

  test('during an exec is not taken for a failed start', () => {
    expect(
      failureToError({ type: 'failed', operation: 'rlimit', errno: constants.errno.ENOMEM, detail: '' }, 'exec').code,
    ).toBe('HAKO_ERR_EXEC_FAILED');
  });

  test('has words for every operation that the supervisor knows', () => {
    const header = readFileSync(new URL('../../native/common/failure.h', import.meta.url), 'utf8');
    const names = /Operations: ([\s\S]*?)\nstruct/.exec(header)?.[1]?.split(/[\s/]+/) ?? [];
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(failed(name, constants.errno.EIO).message).not.toContain('The operation');
  });
});

describe('the remedy for a host without user namespaces', () => {
  const host = (values: Record<string, string>) => userNamespaceRemedy((file) => values[file]);

  test('names the setting that forbids them, and only that', () => {
    expect(host({ '/proc/sys/kernel/unprivileged_userns_clone': '0' })).toBe(
      'To allow user namespaces, run `sysctl -w kernel.unprivileged_userns_clone=1` as root (Debian and Arch kernels have this setting).',
    );
    const ubuntu = host({
      '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1',
      '/proc/sys/user/max_user_namespaces': '5000',
    });
    expect(ubuntu).toContain('kernel.apparmor_restrict_unprivileged_userns=0');
    expect(ubuntu).not.toContain('max_user_namespaces');
    expect(host({ '/proc/sys/user/max_user_namespaces': '0' })).toContain('user.max_user_namespaces=15000');
  });

  test('names every usual reason when none of the settings forbids them', () => {
    const remedy = host({ '/proc/sys/kernel/unprivileged_userns_clone': '1' });
    for (const word of [
      'unprivileged_userns_clone',
      'apparmor_restrict_unprivileged_userns',
      'max_user_namespaces',
      'chroot',
      'CONFIG_USER_NS',
    ])
      expect(remedy).toContain(word);
    expect(remedy).not.toContain('unconfined');
  });

  test('names the seccomp filter that the process is under, when no setting forbids them', () => {
    const filtered = host({ '/proc/self/status': 'NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n' });
    expect(filtered).toContain('--security-opt seccomp=unconfined');
    expect(filtered).toContain('RestrictNamespaces=');
    expect(host({ '/proc/self/status': 'Seccomp:\t2\n', '/proc/sys/user/max_user_namespaces': '0' })).not.toContain(
      'seccomp',
    );
  });
});

describe("a failure of the addon's", () => {
  const addon = (fields: Record<string, unknown>) => toHakoError(Object.assign(new Error('raw'), fields));

  test('becomes a sentence with the errno, the operation and the path', () => {
    expect(addon({ errno: constants.errno.EMFILE, syscall: 'open', path: '/a' })).toMatchObject({
      code: 'HAKO_ERR_SYSCALL_FAILED',
      message: "Cannot open '/a': too many open files (EMFILE). Raise the limit of open files (`ulimit -n`).",
      errno: 'EMFILE',
      operation: 'open',
      path: '/a',
    });
  });

  test.each(['EPERM', 'EACCES'] as const)('of %s is a denied permission', (errno) => {
    expect(addon({ errno: constants.errno[errno], syscall: 'mount' })).toMatchObject({
      code: 'HAKO_ERR_PERMISSION_DENIED',
    });
  });

  test('in compiling a profile is the fault of the profile', () => {
    expect(addon({ errno: constants.errno.E2BIG, syscall: 'seccomp', detail: 'too long' })).toMatchObject({
      code: 'HAKO_ERR_INVALID_SECCOMP_PROFILE',
    });
  });

  test('that is none is handed on as it is', () => {
    const other = new TypeError('other');
    expect(toHakoError(other)).toBe(other);
  });
});
