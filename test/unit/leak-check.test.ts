import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { difference, takeSnapshot } from '../support/leak-check.ts';
import { describeWith } from '../support/requires.ts';

let directory: string | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  child = undefined;
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
});

/** What the check finds after `plant`, of what was planted: other tests run meanwhile. */
async function found(plant: () => Promise<string> | string): Promise<string[]> {
  const before = takeSnapshot();
  const planted = await plant();
  return difference(before, takeSnapshot()).filter((leak) => leak.includes(planted));
}

async function started(process: ChildProcess): Promise<void> {
  child = process;
  process.stdout?.setEncoding('utf8');
  await once(process.stdout as NonNullable<typeof process.stdout>, 'data');
}

describe('the leak check finds', () => {
  test('a directory', async () => {
    expect(
      await found(() => {
        directory = mkdtempSync('/tmp/hako-leak-');
        return directory;
      }),
    ).toEqual([`file: ${directory}`]);
  });

  test('a process that runs one of our programs', async () => {
    directory = mkdtempSync('/tmp/hako-leak-');
    const program = join(directory, 'hako-planted');
    copyFileSync('/bin/sh', program);
    const leaks = await found(async () => {
      await started(spawn(program, ['-c', 'echo up; read line'], { stdio: ['pipe', 'pipe', 'ignore'] }));
      return program;
    });
    expect(leaks).toEqual([expect.stringMatching(/^process: \d+ .*hako-planted/)]);
  });
});

describeWith({ root: true, tools: ['unshare'] }, 'the leak check finds, as root', () => {
  test('a process in a container', async () => {
    const leaks = await found(async () => {
      await started(
        spawn('unshare', ['--pid', '--fork', '--kill-child', 'sh', '-c', 'echo up; read planted'], {
          stdio: ['pipe', 'pipe', 'ignore'],
        }),
      );
      return 'read planted';
    });
    expect(leaks).toContainEqual(expect.stringMatching(/^process: \d+ .*sh -c echo up; read planted$/));
  });
});
