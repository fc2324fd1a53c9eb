/** What a worker could still do if an archive took it over: read off the kernel, while one is at work. */
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Worker } from '../../src/native/worker.ts';
import { asNobody, nobody, plainRequest, Scratch, singleId, workerThrough } from '../native/support/worker-process.ts';
import { describeWith } from '../support/requires.ts';
import { file, tarEntry } from '../support/tar.ts';

const marker = 'marker-of-the-sandbox-test';

interface Seen {
  readonly status: ReadonlyMap<string, string>;
  readonly rootNames: readonly string[];
  readonly mounts: readonly string[];
  readonly descriptors: readonly string[];
  readonly namespaces: ReadonlyMap<string, string>;
}

function look(pid: string): Seen {
  const proc = `/proc/${pid}`;
  const lines = readFileSync(`${proc}/status`, 'utf8').split('\n');
  return {
    status: new Map(lines.map((line) => line.split(':\t') as [string, string])),
    rootNames: readdirSync(`${proc}/root`),
    mounts: readFileSync(`${proc}/mountinfo`, 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
    descriptors: readdirSync(`${proc}/fd`),
    namespaces: new Map(['mnt', 'user'].map((kind) => [kind, readlinkSync(`${proc}/ns/${kind}`)])),
  };
}

/** Only a worker has the tree as its root. */
function pidOfWorker(): string | undefined {
  return readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && existsSync(`/proc/${pid}/root/${marker}`));
}

/** A worker that has unpacked one file and waits for more. */
async function atWork(worker: Worker, base: string, more: Parameters<typeof plainRequest>[1] = {}): Promise<Seen> {
  const controller = new AbortController();
  const seen = Promise.withResolvers<Seen>();
  async function* archive(): AsyncGenerator<Buffer> {
    yield tarEntry(file(marker));
    for (let i = 0; i < 200; i++) {
      await delay(20);
      const pid = pidOfWorker();
      if (pid === undefined) continue;
      seen.resolve(look(pid));
      break;
    }
    controller.abort();
  }
  await worker
    .unpack(plainRequest(base, more), Readable.from(archive()), { signal: controller.signal })
    .catch(() => undefined);
  seen.reject(new Error('no worker was seen'));
  return seen.promise;
}

const CAP_SYS_ADMIN = 1n << 21n;
/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP. */
const makeFiles = 0x8800001bn;

describeWith({ root: true, tools: ['setpriv'] }, 'the sandbox of a worker', () => {
  test('nothing but the tree, a few capabilities, no new privileges, a filter of system calls', async () => {
    using scratch = new Scratch();
    mkdirSync(join(scratch.path, 'tree'));
    const seen = await atWork(workerThrough(), join(scratch.path, 'tree'));
    expect(seen.rootNames).toEqual([marker]);
    expect(seen.mounts).toHaveLength(1);
    expect(seen.mounts[0]).toMatch(/ \/ [^-]*nosuid,nodev,noexec/);
    expect(seen.status.get('NoNewPrivs')).toBe('1');
    expect(seen.status.get('Seccomp')).toBe('2');
    expect(seen.status.get('Threads')).toBe('1');
    for (const set of ['CapEff', 'CapPrm']) expect(BigInt(`0x${seen.status.get(set)}`)).toBe(makeFiles);
    for (const set of ['CapInh', 'CapAmb']) expect(BigInt(`0x${seen.status.get(set)}`)).toBe(0n);
    // The tar stream, stdout, stderr, the socket; then the tree and one of its directories at most twice.
    expect(seen.descriptors.slice(0, 4)).toEqual(['0', '1', '2', '3']);
    expect(seen.descriptors.length).toBeLessThanOrEqual(8);

    // The control: this very process has none of it.
    const own = look('self');
    expect(own.rootNames.length).toBeGreaterThan(5);
    expect(own.mounts.length).toBeGreaterThan(1);
    expect(own.status.get('Seccomp')).toBe('0');
    expect(seen.namespaces.get('mnt')).not.toBe(own.namespaces.get('mnt'));
  });

  test("CAP_SYS_ADMIN only to write overlayfs's trusted attributes", async () => {
    using scratch = new Scratch();
    for (const [whiteouts, expected] of [
      ['overlay', CAP_SYS_ADMIN],
      ['overlay-userxattr', 0n],
      ['apply', 0n],
    ] as const) {
      mkdirSync(join(scratch.path, whiteouts));
      const seen = await atWork(workerThrough(), join(scratch.path, whiteouts), { whiteouts });
      expect(BigInt(`0x${seen.status.get('CapEff')}`)).toBe(makeFiles | expected);
    }
  });

  test('in a user namespace, for an ordinary user', async () => {
    using scratch = new Scratch();
    chownSync(scratch.path, nobody, nobody);
    const seen = await atWork(workerThrough(asNobody), scratch.path, { idMappings: singleId, ownership: 'single' });
    expect(seen.namespaces.get('user')).not.toBe(look('self').namespaces.get('user'));
    expect(seen.status.get('Uid')).toBe([nobody, nobody, nobody, nobody].join('\t'));
    expect(seen.status.get('Seccomp')).toBe('2');
    expect(seen.rootNames).toEqual([marker]);
  });
});
