import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { privilegeModeConformance } from 'libhako/plugin/conformance';
import { describe, expect, test } from 'vitest';
import { untrusted } from '../../examples/privilege-mode/untrusted.ts';
import { createMode } from '../support/modes.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage, openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const example = 'dist/examples/privilege-mode/main.js';

describe("a stranger's mode", () => {
  privilegeModeConformance({ create: (context) => createMode(untrusted, context) });

  test('imports what any stranger can', () => {
    const imports = [...readFileSync('examples/privilege-mode/untrusted.ts', 'utf8').matchAll(/from '([^']+)'/g)];
    expect(imports.map(([, from]) => from)).toEqual(['libhako/plugin', 'zod']);
  });
});

describeWith({ root: true, tools: ['busybox'], paths: [example] }, "containers of a stranger's mode", () => {
  test('are what it planned, and get back what a caller gives', async () => {
    await using opened = await openRuntime({ plugins: [untrusted] });
    const look = async (more: object) =>
      (
        await opened.runtime.run({
          image: busyboxImage,
          command: [
            'sh',
            '-c',
            'touch /x 2>/dev/null || echo read-only; grep CapEff /proc/self/status; cat /proc/self/uid_map',
          ],
          mode: untrusted({ ids: 100 }),
          ...more,
        })
      ).stdout
        .toString()
        .replaceAll(/[ \t]+/g, ' ');
    expect(await look({})).toBe(`read-only\nCapEff: ${'0'.repeat(16)}\n 0 2000000000 100\n`);
    expect(await look({ capabilities: { add: ['CHOWN'] } })).toContain('CapEff: 0000000000000001');
    expect(() => untrusted({ ids: 0 })).toThrow(/ids/);
  });

  test('the example runs', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-example-'));
    try {
      const rootfs = writeBusyboxRoot(join(directory, 'rootfs'));
      const { stdout } = await promisify(execFile)(process.execPath, [example, rootfs, join(directory, 'root')]);
      expect(stdout.replaceAll('\t', ' ')).toBe(`0\nCapEff: ${'0'.repeat(16)}\nread-only\n`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
