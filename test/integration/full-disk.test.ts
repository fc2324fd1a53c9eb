import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { HakoError, Image, Runtime } from 'libhako';
import { expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox', 'mount'] }, 'a root whose disk is full', () => {
  it('says so in words, keeps nothing half, and works again when there is room', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'hako-full-'));
    const disk = mkdtempSync(join(tmpdir(), 'hako-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'hako-full', disk]);
    onTestFinished(() => {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
      rmSync(scratch, { recursive: true });
    });
    await using runtime = await Runtime.open({ root: join(disk, 'root') });
    const rootfs = writeBusyboxRoot(join(scratch, 'rootfs'));
    const failures = async () => {
      const failed: unknown[] = [];
      for (const call of [
        () => runtime.images.import(rootfs, { reference: 'box' }),
        () => runtime.images.import({ kind: 'rootfs', rootfs: Readable.from([Buffer.alloc(8 << 20, 1)]) }),
      ])
        await call().catch((error: unknown) => failed.push(error));
      return failed;
    };
    for (const error of await failures()) {
      expect(error).toBeInstanceOf(HakoError);
      expect((error as HakoError).message).toMatch(/no room is left \(ENOSPC\)|is full/);
    }
    expect((await failures()).length).toBe(2);
    expect(readdirSync(join(disk, 'root/content/ingest'))).toEqual([]);
    expect(await runtime.images.list()).toEqual([]);

    const filler = join(disk, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(4 << 20));
    } catch {
      // That is the point.
    }
    const run = () => runtime.run({ image: Image.fromHost(), command: ['echo', 'x'] });
    const error = await run().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HakoError);
    rmSync(filler);
    expect((await run()).stdout.toString()).toBe('x\n');
    expect(await runtime.containers.list()).toEqual([]);
  });

  it('fills up with a log: what runs goes on, its end is known, and the failures of others are told and leave nothing', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'hako-disk-'));
    const scratch = mkdtempSync(join(tmpdir(), 'hako-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'hako-full', disk]);
    onTestFinished(() => {
      execFileSync('umount', [disk]);
      for (const directory of [disk, scratch]) rmSync(directory, { recursive: true });
    });
    const root = join(disk, 'root');
    await using runtime = await Runtime.open({ root });
    const { containers } = runtime;
    await runtime.images.import(writeBusyboxRoot(join(scratch, 'rootfs')), { reference: 'box' });
    const waiting = await containers.create({ image: 'box', name: 'waiting', command: ['true'] });
    const command = [
      'sh',
      '-c',
      'while [ ! -e /go ]; do sleep 0.02; done; yes 0123456789012345 | head -n 2000000; exit 6',
    ];
    const writer = await containers.create({ image: 'box', name: 'writer', command });
    const idle = await containers.create({ image: 'box', name: 'idle', command: ['sleep', '1000'] });
    await idle.start();
    await writer.start();
    const loud = async () => {
      for (;;) {
        const counts = await writer.logCounts();
        if (counts.lost > 0) return counts;
      }
    };
    const counted = loud();
    await writer.exec(['touch', '/go']);
    expect((await counted).lost).toBeGreaterThan(0);
    expect((await writer.wait()).exitCode).toBe(6);
    expect((await writer.inspect()).state).toMatchObject({ status: 'exited', exitCode: 6 });

    const before = readdirSync(join(root, 'containers')).sort();
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<unknown>) => work().catch((error: unknown) => failures.push(error));
    await attempt(async () => {
      // The store may have a page left for it, a log does not.
      for (let i = 0; i < 200; i++) await containers.create({ image: 'box', name: `full-${i}`, command: ['true'] });
    });
    await attempt(() => waiting.start());
    await attempt(() => idle.commit());
    await attempt(() => runtime.run({ image: 'box', command: ['true'] }));
    await attempt(() => runtime.images.import({ kind: 'rootfs', rootfs: Readable.from([Buffer.alloc(1 << 20)]) }));
    expect(failures).toHaveLength(5);
    for (const error of failures) {
      expect(error).toBeInstanceOf(HakoError);
      expect((error as HakoError).message).toMatch(/no room is left|no space left|is full|cannot be written/i);
    }
    // One that runs takes signals and programs without a byte of disk, and its end is on record.
    expect((await idle.exec(['echo', 'x'])).stdout.toString()).toBe('x\n');
    await idle.stop({ timeout: 0 });
    expect((await waiting.inspect()).state.status).toBe('created');

    await writer.remove();
    for (const { name } of await containers.list())
      if (name.startsWith('full-')) await (await containers.get(name)).remove();
    const gone = before.filter((id) => id !== writer.id);
    expect(readdirSync(join(root, 'containers')).sort()).toEqual(gone);
    expect((await idle.inspect()).state).toMatchObject({ status: 'exited', exitCode: 137 });
    await waiting.start();
    expect((await waiting.wait()).exitCode).toBe(0);
    expect((await runtime.run({ image: 'box', command: ['echo', 'y'] })).stdout.toString()).toBe('y\n');
  });
});
