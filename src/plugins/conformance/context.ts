import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HostInfo } from '../../contracts/host-info.ts';
import type { NativeServices } from '../../contracts/native-services.ts';
import type { PluginContext } from '../../contracts/plugin-definition.ts';

const run = promisify(execFile);
const supported = { supported: true } as const;

/** A plugin's context for tests, with a directory of its own, and what it was warned of. */
export interface TestContext extends PluginContext, Disposable {
  readonly warnings: readonly string[];
}

/**
 * The surroundings of a plugin under test: a directory of its own, and the warnings that it gives. Gone when disposed of.
 *
 * @param native - the services to give; by default the same work done by cp(1), rm(1), du(1), flock(1) and sync(1)
 * @public
 */
export function testContext(native: NativeServices = commandLineServices): TestContext {
  const directory = mkdtempSync(join(tmpdir(), 'hako-conformance-'));
  return {
    ...contextOn(directory, native),
    [Symbol.dispose]: () => {
      for (const [program, args] of removal(directory)) execFileSync(program, args);
    },
  };
}

/** Another context on a directory that there is already, as another process would have. */
export function contextOn(directory: string, native: NativeServices = commandLineServices): TestContext {
  const warnings: string[] = [];
  return {
    directory,
    host: testHost(),
    native,
    signal: new AbortController().signal,
    warnings,
    warn: (message) => void warnings.push(message),
    [Symbol.dispose]: () => undefined,
  };
}

function testHost(): HostInfo {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  return {
    kernel: 'test',
    architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
    uid,
    gid,
    capabilities: [],
    cgroup: { layout: 'none', controllers: {}, files: [], unifiedMount: null, unifiedParent: null, missing: {} },
    inUserNamespace: false,
    userNamespaces: supported,
    rootlessOverlay: supported,
    overlay: supported,
    seccomp: supported,
    apparmor: { supported: false, reason: 'not asked for in tests' },
    timeNamespaces: supported,
    cgroupNamespaces: supported,
    raiseLimits: supported,
    openFilesLimit: null,
    oomScoreAdj: 0,
    sideChannels: [],
    idRanges: { supported: false, reason: 'not asked for in tests', remedy: 'install the package uidmap' },
  };
}

/** overlayfs leaves directories that an ordinary user may not even look into, though they are their own. */
function removal(path: string): readonly (readonly [program: string, args: readonly string[]])[] {
  return [
    ['sh', ['-c', 'test ! -e "$1" || chmod -R u+rwX -- "$1"', 'sh', path]],
    ['rm', ['-rf', '--', path]],
  ];
}

const commandLineServices: NativeServices = {
  removeTree: async (path) => {
    for (const [program, args] of removal(path)) await run(program, args);
  },
  copyTree: async (from, to, _idMappings, options) =>
    void (await run('cp', ['-a', '--reflink=auto', '--', from, to], { signal: options?.signal })),
  usage: async (path) => {
    const [bytes, inodes] = await Promise.all([
      run('du', ['-s', '--block-size=1', '--', path]),
      run('du', ['-s', '--inodes', '--', path]),
    ]);
    return { bytes: Number.parseInt(bytes.stdout, 10), inodes: Number.parseInt(inodes.stdout, 10) };
  },
  lock: async (path, options) => {
    const holder = spawn(
      'flock',
      [...(options?.wait === true ? [] : ['-n']), path, 'sh', '-c', 'echo locked && read _'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const ended = once(holder, 'close');
    const taken = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!taken) return null;
    const release = async (): Promise<void> => {
      holder.stdin.end();
      await ended;
    };
    return { [Symbol.asyncDispose]: release };
  },
  // A wish for speed only.
  spreadDirectories: () => {},
  syncFilesystem: async (directory) => void (await run('sync', ['-f', directory])),
  setQuota: () => Promise.reject(new Error('the conformance kit sets no quotas')),
  endQuota: () => Promise.reject(new Error('the conformance kit sets no quotas')),
  mount: () => Promise.reject(new Error('the conformance kit makes no host mounts')),
  unmount: () => Promise.reject(new Error('the conformance kit makes no host mounts')),
};
