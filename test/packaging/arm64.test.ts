import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { beforeAll, expect, test } from 'vitest';
import { locateNative } from '../../src/native/loader.ts';
import { WORKER_VERSION } from '../../src/native/worker/constants.ts';
import { describeWith, findTool } from '../support/requires.ts';
import { projectRoot, run } from './published.ts';

const libraries = '/usr/aarch64-linux-gnu';
const node = join(projectRoot, 'build/arm64/package/bin/node');
const release = join(projectRoot, 'build/release/linux-arm64-gnu');

/** Machine number of an ELF file, and its interpreter if it has one. */
function elf(path: string): { machine: number; interpreter: boolean } {
  const bytes = readFileSync(path);
  const machine = bytes.readUInt16LE(18);
  const [offset, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const types = Array.from({ length: count }, (_, index) => bytes.readUInt32LE(offset + index * size));
  return { machine, interpreter: types.includes(3) };
}

const aarch64 = 183;

function emulated(argv: readonly string[]): string[] {
  return [findTool('qemu-aarch64') ?? 'qemu-aarch64', '-L', libraries, ...argv];
}

// qemu-user emulates no namespaces, mounts or clone3: what can be run is what comes before them.
describeWith(
  { tools: ['qemu-aarch64', 'python3'], paths: [node, `${libraries}/lib/libstdc++.so.6`] },
  'arm64, cross-compiled and run under qemu-user',
  () => {
    beforeAll(() => {
      run(
        process.execPath,
        ['scripts/build-native.mjs', '--target', 'arm64-gnu', '--release', '--out', 'build/release'],
        projectRoot,
      );
    }, 900_000);

    test('the programs are static, and all is for arm64', () => {
      expect(elf(join(release, 'hako-supervisor'))).toEqual({ machine: aarch64, interpreter: false });
      expect(elf(join(release, 'hako-worker'))).toEqual({ machine: aarch64, interpreter: false });
      expect(elf(join(release, 'hako.node')).machine).toBe(aarch64);
    });

    test('the addon needs no newer glibc than 2.28', () => {
      const versions = new Set(readFileSync(join(release, 'hako.node'), 'latin1').match(/GLIBC_[0-9.]+/g));
      const newest = [...versions].map((version) => Number(version.slice('GLIBC_2.'.length))).sort((a, b) => b - a)[0];
      expect(newest).toBeLessThanOrEqual(28);
    });

    test('the addon loads in a node for arm64, and its system calls work', () => {
      const said = inNode(`
      const [a, b] = native.pipe();
      fs.writeSync(b, 'through a pipe');
      const read = Buffer.alloc(14);
      fs.readSync(a, read);
      native.close(a);
      native.close(b);
      say({ arch: process.arch, read: read.toString() });
    `);
      expect(said).toEqual({ arch: 'arm64', read: 'through a pipe' });
    });

    test('an error of the kernel comes back as one: qemu-user has no openat2', () => {
      const said = inNode(`
      native.readFileInRoot('/', '/etc/hostname', 4096).then(
        () => say('it has'),
        ({ errno, syscall, path }) => say({ errno, syscall, path }),
      );
    `);
      expect(['it has', { errno: 38, syscall: 'openat2', path: '/etc/hostname' }]).toContainEqual(said);
    });

    test('the seccomp compiler makes the program that it makes on this machine', async () => {
      const numbers = [1, 0x7fff0000, 0x80000000, 1, 0xc00000b7, 1, 57, 60, 0x00050001, 1, 0x7fff0000, 1];
      const condition = [0, 6, 64, 0, ...new Array(8).fill(0), 9, ...new Array(7).fill(0)];
      const rules = Buffer.concat([Buffer.from(Uint32Array.from(numbers).buffer), Buffer.from(condition)]);
      const { addon } = locateNative();
      const here: string = Buffer.from(createRequire(import.meta.url)(addon).compileSeccomp(rules)).toString('hex');
      expect(
        inNode(
          `say(Buffer.from(native.compileSeccomp(Buffer.from('${rules.toString('hex')}', 'hex'))).toString('hex'))`,
        ),
      ).toBe(here);
      expect(here.length).toBeGreaterThan(8 * 16);
    });

    test('the worker reads a request, and refuses one that is cut short by the protocol', async () => {
      const { reply } = await converse(['hako-worker'], Buffer.from([4, 0, 0, 0, 1, WORKER_VERSION, 0, 0, 0]));
      expect(reply[4]).toBe(65);
      expect(reply.toString('latin1', 5)).toMatch(/protocol.*malformed/s);
    });

    test('the supervisor comes as far as becoming a subreaper, which qemu-user does not emulate', async () => {
      const { reply, trace } = await converse(
        ['-strace', 'hako-supervisor', '0'],
        Buffer.from([0xff, 0xff, 0xff, 0xff, 1]),
      );
      expect(trace).toMatch(/fcntl\(3,F_SETFD,1\) = 0[\s\S]*close_range\(5,\d+,0\) = 0[\s\S]*prctl\(36,1,/);
      const emulatesSubreapers = /prctl\(36,1,[^\n]*= 0$/m.test(trace);
      // A newer qemu goes on to the protocol: FAILED, for a frame over the limit.
      if (emulatesSubreapers) expect(reply.toString('latin1', 4)).toMatch(/^A.*protocol/s);
      else expect(reply).toHaveLength(0);
    });
  },
);

/** What a program says in a node for arm64 that has loaded the addon as `native`. */
function inNode(source: string): unknown {
  const prelude = `
    const native = require(${JSON.stringify(join(release, 'hako.node'))});
    const fs = require('node:fs');
    const say = (value) => console.log(JSON.stringify(value));
  `;
  const [command, ...args] = emulated([node, '-e', prelude + source]);
  return JSON.parse(run(command as string, args, projectRoot));
}

/** Runs one of the programs, with a socket as its descriptor 3 and a directory as 4; sends bytes, and reads till its end. */
async function converse(argv: readonly string[], bytes: Uint8Array): Promise<{ reply: Buffer; trace: string }> {
  const state = mkdtempSync(join(tmpdir(), 'hako-arm64-'));
  const directory = openSync(state, 'r');
  try {
    const programs = argv.map((word) => (word.startsWith('hako-') ? join(release, word) : word));
    const [command, ...args] = emulated(programs);
    const child = spawn(command as string, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', directory],
      timeout: 20_000,
    });
    const socket = child.stdio[3] as Socket;
    const [reply, trace] = [collect(socket), collect(child.stderr as Readable)];
    socket.write(bytes);
    await once(child, 'exit');
    return { reply: await reply, trace: (await trace).toString() };
  } finally {
    closeSync(directory);
    rmSync(state, { recursive: true, force: true });
  }
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // A program that ends with our bytes unread resets the connection: what it said before counts.
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'close').catch(() => {});
  return Buffer.concat(chunks);
}
