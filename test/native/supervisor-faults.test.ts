import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { loopFaults } from './support/fault-calls.ts';
import { execRequest, jsonFile, SupervisorProcess, shell } from './support/supervisor-process.ts';

const everything = { stdin: true, stdout: true, stderr: true };
let directory: string;
let failures = 0;
afterAll(() => console.log(`${failures} system calls failed`));
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-faults-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A container that is talked to, as far as the supervisor goes along with it. */
async function converse(supervisor: SupervisorProcess): Promise<void> {
  supervisor.start({
    stdin: true,
    attach: everything,
    sink: jsonFile({ maxSize: 2_000, maxFiles: 3 }),
    process: shell('seq 1 50; read x; seq 51 100; exit 3'),
  });
  await supervisor.owner.next('started');
  await supervisor.owner.until((text) => text.endsWith('50\n'));
  const session = await supervisor.connect();
  await session.exec(execRequest(['/bin/echo', 'x']));
  await Promise.race([session.next('exited'), session.closed]);
  session.socket.destroy();
  supervisor.owner.send({ type: 'stdin', data: Buffer.from('\n') });
  await supervisor.owner.next('exited');
}

/**
 * Each system call of the supervisor's own loop is made to fail: the first time that it is made, then the second, and
 * so on until it isn't made so often. Whatever its peers are told then, it ends, and the container with it.
 */
describeWith({ root: true, tools: ['strace'] }, 'when a system call of the loop fails', () => {
  test.each(loopFaults)('%s with %s', async (call, error) => {
    const log = join(directory, 'log');
    const most = process.env['HAKO_EXHAUSTIVE'] === undefined ? 40 : Number.POSITIVE_INFINITY;
    for (let occurrence = 1; occurrence <= most; occurrence++) {
      const trace = [
        '-e',
        `trace=${call}`,
        '-e',
        'signal=none',
        '-e',
        `inject=${call}:error=${error}:when=${occurrence}`,
      ];
      await using supervisor = new SupervisorProcess(undefined, { prefix: ['strace', '-qq', '-o', log, ...trace] });
      const after = (ms: number, what: string): Promise<string> =>
        new Promise((resolve) => setTimeout(resolve, ms, what));
      // A stream that could not be read is silent from then on, and its reader gives up.
      const outcome = await Promise.race([
        converse(supervisor).then(
          () => 'all',
          () => 'less',
        ),
        after(5_000, 'silence'),
      ]);
      if (call !== 'read') expect(outcome).not.toBe('silence');
      supervisor.owner.socket.destroy();
      expect(await Promise.race([supervisor.exited, after(8_000, 'still there')])).not.toBe('still there');
      const started = supervisor.owner.frames.find((frame) => frame.type === 'started');
      // It is killed when its supervisor has died; that it is reaped takes whoever inherits it a moment.
      if (started) await vi.waitFor(() => expect(existsSync(`/proc/${started.pid}`)).toBe(false), 2_000);
      const exited = supervisor.owner.frames.find((frame) => frame.type === 'exited');
      const spoilsRecord = call === 'pwrite64' || call === 'renameat';
      if (exited && !spoilsRecord) expect(supervisor.exitRecord).toMatchObject({ exitCode: exited.exitCode });
      if (call !== 'unlinkat') expect(existsSync(supervisor.path('control.sock'))).toBe(false);
      if (!readFileSync(log, 'utf8').includes('(INJECTED)')) {
        expect(outcome).toBe('all');
        expect(exited?.exitCode).toBe(3);
        break;
      }
      failures++;
    }
  });
});
