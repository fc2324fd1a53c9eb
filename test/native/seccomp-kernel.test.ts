import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { arch, constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultProfile } from '../../src/seccomp/default-profile.ts';
import { compileSeccompProfile, type SeccompRequest } from '../../src/seccomp/index.ts';
import { describeWith } from '../support/requires.ts';
import { type JsonProfile, Libseccomp } from './support/libseccomp.ts';
import { native } from './support/native-binding.ts';

const { EPERM, ENOSYS, EINVAL, EAFNOSUPPORT } = constants.errno;
const machine = arch() as 'x64' | 'arm64';

describeWith({ tools: ['cc'] }, 'a program under the filter, in this kernel', () => {
  let directory: string;
  let program: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hako-seccomp-'));
    program = join(directory, 'probe');
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', program, 'test/native/seccomp_probe.c'], {
      stdio: 'inherit',
    });
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function run(filter: Uint8Array): Record<string, number> {
    const file = join(directory, 'filter');
    writeFileSync(file, filter);
    const lines = execFileSync(program, [file], { encoding: 'utf8' }).trim().split('\n');
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }

  function compile(profile: SeccompRequest['profile'], capabilities: readonly string[] = []): Uint8Array {
    return (
      compileSeccompProfile({ profile, architecture: machine, capabilities, kernel: '6.1.0', native })?.program ??
      new Uint8Array()
    );
  }

  test('the default profile lets ordinary calls through and nothing that it should not', () => {
    const results = run(compile('default'));
    expect(results).toMatchObject({
      install: 0,
      getpid: 0,
      'socket(AF_UNIX)': 0,
      'socket(AF_ALG)': EPERM,
      'socket(AF_ALG+2^32)': EPERM,
      'socket(AF_VSOCK)': EPERM,
      clone3: ENOSYS,
      unshare: EPERM,
      'personality(0)': 0,
      'personality(0x0400000)': EPERM,
      mount: EPERM,
      keyctl: EPERM,
      'rseq_slice_yield and later': ENOSYS,
    });
  });

  test.runIf(machine === 'x64')('32-bit and x32 calls are no way around it', () => {
    expect(run(compile('default'))).toMatchObject({
      'i386:getpid': 0,
      'i386:socket(AF_ALG)': EPERM,
      'i386:socketcall(SYS_SOCKET,AF_ALG)': EPERM,
      'i386:socket(AF_UNIX)': 0,
      'i386:socketcall(SYS_SOCKETPAIR)': 0,
      'x32:socket(AF_ALG)': EPERM,
    });
  });

  test('without a filter the same calls are not refused: it is the filter that does it', () => {
    const everything = compile({
      json: JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }),
    });
    const results = run(everything);
    for (const call of ['socket(AF_ALG)', 'socket(AF_VSOCK)', 'keyctl', 'personality(0x0400000)'])
      expect([call, results[call]]).not.toEqual([call, EPERM]);
    expect(results['clone3']).toBe(EINVAL);
  });

  test('with CAP_SYS_ADMIN the calls that need it reach the kernel', () => {
    const results = run(compile('default', ['CAP_SYS_ADMIN']));
    expect(results['clone3']).toBe(EINVAL);
    expect(results['mount']).not.toBe(EPERM);
  });

  test.runIf(machine === 'x64')(
    "libseccomp's program is passed by a family with high bits, which the kernel does not see",
    () => {
      const libseccomp = new Libseccomp(directory);
      const own = JSON.parse(
        JSON.stringify(defaultProfile, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
      ) as JsonProfile;
      const results = run(libseccomp.compile(own, 'amd64', ['x86_64', 'x86', 'x32'], []).bytes);
      expect(results['socket(AF_ALG)']).toBe(EPERM);
      // A kernel with AF_ALG gives the socket; one without it says so. Either way the call went through.
      expect([0, EAFNOSUPPORT]).toContain(results['socket(AF_ALG+2^32)']);
    },
  );
});
