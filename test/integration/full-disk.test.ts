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
});
