import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { IdMappings } from '../../../src/contracts/isolation.ts';
import { loadNativeBinding } from '../../../src/native/binding.ts';
import { locateNative } from '../../../src/native/loader.ts';
import { type LaunchWorker, type UnpackRequest, type UnpackResult, Worker } from '../../../src/native/worker.ts';

export const files = locateNative();
export const binding = loadNativeBinding(files);

/** HAKO_WORKER chooses the binary under test: a sanitized one, another libc's. */
export const workerPath = process.env['HAKO_WORKER'] ?? files.worker;

/** Workers through a command such as setpriv(1), which a NativeBinding could not start. */
export function workerThrough(command: readonly string[] = [], options: SpawnOptions = {}): Worker {
  const launch: LaunchWorker = async ({ base, input, output }) => {
    const directory = openSync(base, constants.O_RDONLY | constants.O_DIRECTORY);
    const [program = workerPath, ...args] = [...command, workerPath];
    const child = spawn(program, args, {
      ...options,
      stdio: [input ?? 'ignore', output ?? 'ignore', 'inherit', 'pipe', directory],
    });
    const exited = once(child, 'exit');
    closeSync(directory);
    return {
      socket: child.stdio[3] as Socket,
      kill: () => child.kill('SIGKILL'),
      reap: async () => {
        const [exitCode, signal] = (await exited) as [number | null, NodeJS.Signals | null];
        return { exitCode, signal: signal === null ? null : 9 };
      },
    };
  };
  return new Worker(binding, launch);
}

/** uid and gid of nobody, no groups, no capabilities. */
export const nobody = 65534;
export const asNobody = [
  'setpriv',
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  '--clear-groups',
  '--inh-caps=-all',
  '--bounding-set=-all',
  '--',
];

/** The one id that the kernel grants an ordinary user. */
export const singleId: IdMappings = {
  uid: [{ containerId: 0, hostId: nobody, size: 1 }],
  gid: [{ containerId: 0, hostId: nobody, size: 1 }],
  method: { kind: 'direct', denySetgroups: true },
};

/** A directory of its own, removed at the end. */
export class Scratch implements Disposable {
  readonly path: string;

  /** @param parent - /dev/shm for trees of very many files, which a disk takes long to forget */
  constructor(parent = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'hako-unpack-'));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 2 });
  }
}

export const plainRequest = (base: string, more: Partial<UnpackRequest> = {}): UnpackRequest => ({
  tree: { kind: 'directory', base, path: '' },
  idMappings: null,
  whiteouts: 'none',
  ownership: 'keep',
  devicesOptional: false,
  sync: false,
  ...more,
});

const worker = workerThrough();

/** As root, into a directory. */
export function unpack(archive: Buffer, base: string, more: Partial<UnpackRequest> = {}): Promise<UnpackResult> {
  return worker.unpack(plainRequest(base, more), Readable.from(slices(archive)));
}

// Pieces of an odd size, so that no header or name lies conveniently.
function* slices(archive: Buffer): Generator<Buffer> {
  for (let at = 0; at < archive.length; at += 10_007) yield archive.subarray(at, at + 10_007);
}
