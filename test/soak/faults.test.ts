import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Runtime } from 'libhako';
import { expect, it, onTestFinished } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime } from '../support/test-runtime.ts';
import { again, isLong, patience, seed } from './support/amounts.ts';
import { leftovers } from './support/leftovers.ts';
import { Random } from './support/random.ts';

const child = fileURLToPath(new URL('faults/child.ts', import.meta.url));

/**
 * The calls that a service makes for its containers, by the addon or through node, and node makes for nothing else that
 * it could not do without. (test/native/container-faults and supervisor-faults do the same to the supervisor's.)
 */
const calls = [
  ['socketpair', 'EMFILE'],
  ['memfd_create', 'ENOMEM'],
  ['flock', 'ENOLCK'],
  ['pidfd_open', 'EMFILE'],
  ['waitid', 'EINVAL'],
  ['mkdir', 'ENOSPC'],
  ['mkdirat', 'EIO'],
  ['rename', 'EIO'],
  ['renameat2', 'EIO'],
  ['unlink', 'EIO'],
  ['unlinkat', 'EIO'],
  ['rmdir', 'EBUSY'],
  ['chmod', 'EPERM'],
  ['fsync', 'EIO'],
  ['fdatasync', 'EIO'],
  ['ftruncate', 'EIO'],
  ['pwrite64', 'ENOSPC'],
  ['openat2', 'ENFILE'],
  ['symlink', 'ENOSPC'],
  ['connect', 'ECONNREFUSED'],
] as const;

/** Any test among others has some seconds for it. */
const samples = 10;

interface Outcome {
  readonly said: string;
  readonly stderr: string;
  /** The call was made so often, by some thread. */
  readonly injected: boolean;
}

function live(root: string, log: string, call: string, error: string, occurrence: number): Promise<Outcome> {
  const inject = ['-e', `trace=${call}`, '-e', 'signal=none', '-e', `inject=${call}:error=${error}:when=${occurrence}`];
  const args = ['--seccomp-bpf', '-f', '-qq', '-o', log, ...inject];
  const process_ = spawn('strace', [...args, process.execPath, child, built.entry, root, busyboxImage], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // So that the calls of the pool have one order.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  });
  let [said, stderr] = ['', ''];
  process_.stdout.on('data', (chunk: Buffer) => (said += chunk));
  process_.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    process_.on('error', reject);
    process_.on('close', () => resolve({ said, stderr, injected: readFileSync(log, 'utf8').includes('(INJECTED)') }));
  });
}

describeWith(
  { root: true, tools: ['busybox', 'strace'], paths: [built.entry] },
  'a system call of the service that fails',
  () => {
    it('is told in words or got over, and nothing is left', { timeout: patience }, async () => {
      await using test = await openRuntime();
      await test.runtime.close();
      const scratch = mkdtempSync(join(tmpdir(), 'hako-faults-'));
      onTestFinished(() => rmSync(scratch, { recursive: true }));
      const log = join(scratch, 'log');
      const ids = new Set<string>();
      const seen = new Map<string, number>();

      /** @returns whether the call was made that often */
      const attempt = async (call: string, error: string, occurrence: number): Promise<boolean> => {
        const what = `${call} no. ${occurrence} with ${error}; ${again}`;
        const { said, stderr, injected } = await live(test.root, log, call, error, occurrence);
        expect(said, `${what}: ${stderr}`).toMatch(/^(all|HAKO_ERR_[A-Z_]+)$/);
        // Nobody has asked for anything wrong, and nothing is damaged.
        expect(said, `${what}: ${stderr}`).not.toMatch(/INVALID|CORRUPT/);
        if (!injected) expect(said, what).toBe('all');
        seen.set(said, (seen.get(said) ?? 0) + 1);
        for (const id of readdirSync(join(test.root, 'containers'))) ids.add(id);
        await using runtime = await Runtime.open({ root: test.root });
        for (const { id } of await runtime.containers.list())
          await (await runtime.containers.get(id)).remove({ force: true });
        expect((await runtime.run({ image: busyboxImage, command: ['echo', 'x'] })).stdout.toString(), what).toBe(
          'x\n',
        );
        await runtime.close();
        const left = () => leftovers(test.root, [...ids]).filter((line) => !line.startsWith('file content/blobs'));
        await expect.poll(left, { timeout: 15_000, message: what }).toEqual([]);
        return injected;
      };

      if (isLong) {
        for (const [call, error] of calls)
          for (let occurrence = 1; await attempt(call, error, occurrence); occurrence++);
      } else {
        const random = new Random(seed);
        for (let sample = 0; sample < samples; sample++) {
          const [call, error] = random.pick(calls);
          await attempt(call, error, 1 + random.below(4));
        }
      }
      console.log(`outcomes: ${JSON.stringify(Object.fromEntries(seen))}`);
    });
  },
);
