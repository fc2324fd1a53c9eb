import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locateNative } from '../../src/native/loader.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { native } from './support/native-binding.ts';
import { openDescriptors, run } from './support/shell.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-addon-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('compileSeccomp refuses rules that are not sound', () => {
  for (const rules of [new Uint8Array(), new Uint8Array(100), new Uint8Array(2 << 20)]) {
    expect(() => native.compileSeccomp(rules)).toThrowError(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_SECCOMP_PROFILE' }),
    );
  }
});

test('what is not of the right type is a TypeError, not a crash', () => {
  const addon = process as unknown as { dlopen(module: object, path: string): void };
  const raw = { exports: {} as Record<string, (...args: unknown[]) => unknown> };
  addon.dlopen(raw, locateNative().addon);
  const nonsense = [
    undefined,
    null,
    {},
    [],
    'text',
    1.5,
    2 ** 40,
    Symbol('s'),
    () => {},
    new Uint32Array(4),
    new Uint8Array(),
  ];
  const calls = Object.entries(raw.exports).filter(
    ([name]) => !['probe', 'socketPair', 'pipe', 'close', 'unmount', 'removeTree'].includes(name),
  );
  expect(calls.length).toBeGreaterThan(8);
  for (const [name, call] of calls) {
    expect(() => call(), name).toThrow(TypeError);
    for (const value of nonsense) {
      // A text may be a path, and is refused by the kernel then: that is an error, or a promise of one.
      try {
        void Promise.resolve(call(value, value, value, value)).catch(() => {});
      } catch (error) {
        expect(error, name).toBeInstanceOf(Error);
      }
    }
  }
});

test('loads in worker threads, beside each other and after one was terminated at work', async () => {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = { exports: {} };
    process.dlopen(addon, workerData.addon);
    const twice = { exports: {} };
    process.dlopen(twice, workerData.addon);
    (async () => {
      const program = await addon.exports.sealExecutable('/bin/sh');
      const child = await twice.exports.spawn(program, ['sh', '-c', 'exit 3'], [null, null, null], []);
      let status = null;
      while ((status = addon.exports.tryReap(child.pidfd)) === null) await new Promise((resolve) => setTimeout(resolve, 1));
      addon.exports.close(program);
      parentPort.postMessage(status.exitCode);
      // Work that is under way when the thread is ended.
      for (;;) await Promise.all(Array.from({ length: 20 }, () => addon.exports.readFileInRoot('/', 'etc/hostname', 1000)));
    })();
  `;
  const before = openDescriptors();
  for (let round = 0; round < 10; round++) {
    const workers = Array.from(
      { length: 2 },
      () => new Worker(script, { eval: true, workerData: { addon: locateNative().addon } }),
    );
    const codes = await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
    expect(codes).toEqual([3, 3]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  expect((await run('exit 4')).exitCode).toBe(4);
  expect(openDescriptors()).toBeLessThanOrEqual(before);
});

test('probe answers each question with yes, or no and why', async () => {
  const probe = await native.probe();
  expect(probe.release).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
  for (const answer of Object.values(probe)) {
    if (typeof answer === 'object' && !answer.ok) {
      expect(answer.errno).toMatch(/^E[A-Z0-9]+$/);
      expect(answer.reason).toMatch(/\.$/);
    }
  }
  expect(probe.openat2).toEqual({ ok: true });
  expect(probe.pidfd).toEqual({ ok: true });
});

// As an ordinary user where user namespaces are forbidden: in a user namespace whose own limit is 0, without capabilities.
describeWith({ tools: ['unshare', 'setpriv'] }, 'probe on a host that forbids user namespaces', () => {
  test('says so, names the setting, and does not blame the mount API', () => {
    const helper = fileURLToPath(new URL('./support/probe-check.ts', import.meta.url));
    const forbid =
      'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"';
    const output = execFileSync(
      findTool('unshare') as string,
      ['--user', '--map-root-user', 'sh', '-c', forbid, 'sh', process.execPath, '--no-warnings', helper],
      { encoding: 'utf8' },
    );
    const probe = JSON.parse(output) as Record<string, unknown>;
    expect(probe).toMatchObject({
      mountApi: { ok: true },
      userNamespace: { ok: false, errno: 'ENOSPC' },
      overlayInUserNamespace: { ok: false },
    });
    expect((probe['userNamespace'] as { reason: string }).reason).toContain('sysctl -w user.max_user_namespaces');
  });
});

// In a mount namespace of its own, so that nothing reaches the host; the program is this test's own helper.
describeWith({ root: true, tools: ['unshare'] }, 'mount on the host', () => {
  test('mounts a filesystem with its attributes and options, binds, overlays, and unmounts', () => {
    const helper = fileURLToPath(new URL('./support/mount-check.ts', import.meta.url));
    const output = execFileSync(
      findTool('unshare') as string,
      ['--mount', '--propagation', 'private', process.execPath, '--no-warnings', helper, directory],
      { encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual({
      tmpfs: 'ro,nosuid,nodev,noexec',
      size: '64k',
      bind: 'content',
      bindReadOnly: true,
      overlay: ['lower', 'upper'],
      overlayByString: ['lower', 'upper'],
      badOption: 'EINVAL',
      badOptionSaysWhy: true,
      unknownType: 'ENODEV',
      missingTarget: 'ENOENT',
      left: 0,
      unmountOfNothing: 'fine',
    });
  });
});
