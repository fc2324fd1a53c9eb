import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { describeWith, findTool } from '../support/requires.ts';
import { jsonFile, SupervisorProcess, shell } from './support/supervisor-process.ts';

interface Entry {
  readonly log: string;
  readonly stream: string;
  readonly attrs?: Record<string, string>;
  readonly time: string;
}

const quiet = { stdin: false, stdout: false, stderr: false };
const linesOf = (path: string): string[] => {
  const text = readFileSync(path, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text.split('\n').slice(0, -1);
};
const entriesOf = (path: string): Entry[] => linesOf(path).map((line) => JSON.parse(line) as Entry);

/** Runs a command to its end and gives the supervisor, whose directory lives until it is disposed of. */
async function run(
  command: string,
  sink: ReturnType<typeof jsonFile>,
  prepare?: (supervisor: SupervisorProcess) => void,
): Promise<SupervisorProcess> {
  const supervisor = new SupervisorProcess();
  prepare?.(supervisor);
  supervisor.start({ attach: quiet, process: shell(command), sink });
  await supervisor.owner.next('exited');
  return supervisor;
}

describe('the json-file sink', () => {
  test('writes Docker’s records', async () => {
    await using supervisor = await run(
      `printf 'a "q" \\\\ \\t <&> \\001\\177 é\\n'; sleep 0.05; printf 'no end' >&2`,
      jsonFile({ attributes: '{"app":"web"}' }),
    );
    const lines = linesOf(supervisor.path('c-json.log'));
    expect(lines[0]).toMatch(
      /^\{"log":"a \\"q\\" \\\\ \\u0009 \\u003c\\u0026\\u003e \\u0001\x7f é\\n","stream":"stdout","attrs":\{"app":"web"\},"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"\}$/,
    );
    expect(lines[1]).toMatch(/^\{"log":"no end","stream":"stderr","attrs":\{"app":"web"\},"time":"[^"]+"\}$/);
    expect(lines.length).toBe(2);
    expect(statSync(supervisor.path('c-json.log')).mode & 0o777).toBe(0o640);
  });

  test('splits lines at 16 KiB, the pieces with one time and the newline on the last', async () => {
    await using supervisor = await run('head -c 40000 /dev/zero | tr "\\0" x; sleep 0.1; echo; echo next', jsonFile());
    const entries = entriesOf(supervisor.path('c-json.log'));
    expect(entries.map((entry) => entry.log.length)).toEqual([16_384, 16_384, 40_000 - 2 * 16_384 + 1, 5]);
    expect(new Set(entries.slice(0, 3).map((entry) => entry.time)).size).toBe(1);
    expect(entries.map((entry) => entry.log.endsWith('\n'))).toEqual([false, false, true, true]);
  });

  test('does not split a code point', async () => {
    await using supervisor = await run(
      `awk 'BEGIN { printf "x"; for (i = 0; i < 20000; i++) printf "€"; print "" }'`,
      jsonFile(),
    );
    const entries = entriesOf(supervisor.path('c-json.log'));
    expect(entries.map((entry) => entry.log).join('')).toBe(`x${'€'.repeat(20_000)}\n`);
    expect(entries.length).toBeGreaterThan(3);
  });

  test('interleaves the streams line by line', async () => {
    await using supervisor = await run('for i in $(seq 200); do echo o$i; echo e$i >&2; done', jsonFile());
    const entries = entriesOf(supervisor.path('c-json.log'));
    const of = (stream: string): string =>
      entries
        .filter((entry) => entry.stream === stream)
        .map((entry) => entry.log)
        .join('');
    expect(of('stdout')).toBe(Array.from({ length: 200 }, (_, i) => `o${i + 1}\n`).join(''));
    expect(of('stderr')).toBe(Array.from({ length: 200 }, (_, i) => `e${i + 1}\n`).join(''));
  });

  test('appends to what an earlier run wrote, and cuts off a torn record', async () => {
    const first = await run('echo new', jsonFile());
    await first.exited;
    appendFileSync(first.path('c-json.log'), '{"log":"torn by a cra');
    await using supervisor = new SupervisorProcess(first.directory);
    supervisor.start({ attach: quiet, process: shell('echo again'), sink: jsonFile() });
    await supervisor.owner.next('exited');
    expect(entriesOf(supervisor.path('c-json.log')).map((entry) => entry.log)).toEqual(['new\n', 'again\n']);
  });

  test('a file of one torn record starts afresh', async () => {
    await using supervisor = await run('echo x', jsonFile(), (one) =>
      writeFileSync(one.path('c-json.log'), 'y'.repeat(5_000)),
    );
    expect(entriesOf(supervisor.path('c-json.log')).map((entry) => entry.log)).toEqual(['x\n']);
  });
});

describe('rotation', () => {
  const numbers = (paths: string[]): number[] =>
    paths.flatMap((path) => entriesOf(path).map((entry) => Number(entry.log)));

  test('looks at the size before each record, as Docker does', async () => {
    await using supervisor = await run('seq 1 2000', jsonFile({ maxSize: 10_000, maxFiles: 100 }));
    const names = supervisor.names.filter((name) => name.startsWith('c-json.log'));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names.filter((one) => one !== 'c-json.log')) {
      const lines = linesOf(supervisor.path(name));
      const size = lines.reduce((sum, line) => sum + line.length + 1, 0);
      expect(size).toBeGreaterThanOrEqual(10_000);
      expect(size - (lines.at(-1)?.length ?? 0) - 1).toBeLessThan(10_000);
    }
    const rotated = names
      .filter((name) => name !== 'c-json.log')
      .sort((a, b) => Number(b.slice(11)) - Number(a.slice(11)));
    expect(numbers([...rotated, 'c-json.log'].map((name) => supervisor.path(name)))).toEqual(
      Array.from({ length: 2000 }, (_, i) => i + 1),
    );
  });

  test('keeps no more files than it may', async () => {
    await using supervisor = await run('seq 1 2000', jsonFile({ maxSize: 10_000, maxFiles: 3 }));
    expect(supervisor.names.filter((name) => name.startsWith('c-json'))).toEqual([
      'c-json.log',
      'c-json.log.1',
      'c-json.log.2',
    ]);
    const kept = numbers(['c-json.log.2', 'c-json.log.1', 'c-json.log'].map((name) => supervisor.path(name)));
    expect(kept.at(-1)).toBe(2000);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 2000 - kept.length + 1 + i));
  });

  test('with one file, begins it anew', async () => {
    await using supervisor = await run('seq 1 2000', jsonFile({ maxSize: 10_000, maxFiles: 1 }));
    expect(supervisor.names.filter((name) => name.startsWith('c-json'))).toEqual(['c-json.log']);
    expect(numbers([supervisor.path('c-json.log')]).at(-1)).toBe(2000);
    expect(statSync(supervisor.path('c-json.log')).size).toBeLessThan(10_200);
  });

  test('moves compressed files along, and tells the owner of what waits', async () => {
    await using supervisor = await run(
      'seq 1 150',
      jsonFile({ maxSize: 5_000, maxFiles: 5, compress: true }),
      (one) => {
        writeFileSync(one.path('c-json.log.1.gz'), 'one');
        writeFileSync(one.path('c-json.log.2.gz'), 'two');
      },
    );
    const rotations = supervisor.names.filter((name) => /^c-json\.log\.\d$/.test(name)).length;
    expect(rotations).toBe(2);
    expect(readFileSync(supervisor.path('c-json.log.3.gz'), 'utf8')).toBe('one');
    expect(readFileSync(supervisor.path('c-json.log.4.gz'), 'utf8')).toBe('two');
    expect(supervisor.owner.frames.filter((frame) => frame.type === 'log-rotated').length).toBeGreaterThan(0);
  });

  test('is told to a session that holds a detached container, as a restarted engine’s does', async () => {
    await using supervisor = await SupervisorProcess.started({
      detached: true,
      stdin: true,
      attach: { ...quiet, stdin: true },
      sink: jsonFile({ maxSize: 1_000, maxFiles: 3, compress: true }),
      process: shell('read x; seq 1 100; sleep 0.2'),
    });
    const [holder, other] = await Promise.all([supervisor.connect(), supervisor.connect()]);
    holder.send({ type: 'hold', hold: true });
    for (const session of [holder, other]) session.send({ type: 'state' });
    await Promise.all([holder.next('state-reply'), other.next('state-reply')]);
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('\n') });
    await Promise.all([holder.next('exited'), other.next('exited')]);
    expect(holder.frames.map((frame) => frame.type)).toContain('log-rotated');
    expect(other.frames.map((frame) => frame.type)).not.toContain('log-rotated');
  });

  test('goes on when somebody else cuts the file', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: { ...quiet, stdout: true },
      stdin: true,
      sink: jsonFile({ maxSize: 3_000, maxFiles: 3 }),
      process: shell('seq 1 20; sleep 0.3; seq 21 40'),
    });
    await supervisor.owner.until((text) => text.endsWith('20\n'));
    await delay(50);
    truncateSync(supervisor.path('c-json.log'), 0);
    await supervisor.owner.next('exited');
    expect(numbers([supervisor.path('c-json.log')])).toEqual(Array.from({ length: 20 }, (_, i) => i + 21));
    expect(existsSync(supervisor.path('c-json.log.1'))).toBe(false);
  });

  describeWith({ tools: ['flock'] }, 'while a compressor works', () => {
    test('is put off until it has finished', async () => {
      await using supervisor = new SupervisorProcess();
      const holder = spawn(findTool('flock') ?? '', [supervisor.path('log.lock'), 'sh', '-c', 'echo held; read x'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      supervisor.start({
        attach: { ...quiet, stdout: true },
        sink: jsonFile({ maxSize: 1_000, maxFiles: 3 }),
        process: shell('seq 1 100; sleep 0.5; seq 101 110'),
      });
      await supervisor.owner.until((text) => text.includes('100\n'));
      await delay(50);
      expect(entriesOf(supervisor.path('c-json.log')).length).toBe(100);
      expect(existsSync(supervisor.path('c-json.log.1'))).toBe(false);
      holder.stdin.end();
      await supervisor.owner.next('exited');
      expect(entriesOf(supervisor.path('c-json.log.1')).length).toBe(100);
      expect(entriesOf(supervisor.path('c-json.log')).length).toBe(10);
    });
  });
});

describeWith({ root: true, tools: ['mount', 'umount'] }, 'a full disk', () => {
  test('costs whole records, which are counted, and not the exit record', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-supervisor-'));
    execFileSync(findTool('mount') ?? '', ['-t', 'tmpfs', '-o', 'size=64k', 'hako-test', directory]);
    try {
      const supervisor = await SupervisorProcess.started(
        {
          attach: { ...quiet, stdout: true },
          sink: jsonFile(),
          process: shell('seq 1 5000; read x; exit 8'),
          stdin: true,
        },
        directory,
      );
      await supervisor.owner.until((text) => text.endsWith('5000\n'));
      supervisor.owner.send({ type: 'state' });
      const { logRecordsWritten, logRecordsLost } = await supervisor.owner.next('state-reply');
      const entries = entriesOf(join(directory, 'c-json.log'));
      expect(BigInt(entries.length)).toBe(logRecordsWritten);
      expect(logRecordsWritten + logRecordsLost).toBe(5000n);
      expect(logRecordsLost).toBeGreaterThan(0n);
      supervisor.owner.send({ type: 'signal', signal: 15 });
      await supervisor.owner.next('exited');
      expect(supervisor.exitRecord).toMatchObject({ exitCode: 143, signal: 15 });
      await supervisor.exited;
    } finally {
      execFileSync(findTool('umount') ?? '', ['-l', directory]);
      rmSync(directory, { recursive: true });
    }
  });
});

describe('nothing is lost', () => {
  test('when the owner of a detached container is killed while it writes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hako-supervisor-'));
    try {
      const owner = spawn(process.execPath, ['test/native/support/writing-owner.ts', directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [, pid] = await once(owner.stdout, 'data').then(([text]) => /(\d+)/.exec(String(text)) ?? []);
      await delay(50);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      expect(existsSync(join(directory, 'exit.json'))).toBe(false);
      for (let tries = 0; !existsSync(join(directory, 'exit.json')) && tries < 200; tries++) await delay(50);
      expect(JSON.parse(readFileSync(join(directory, 'exit.json'), 'utf8'))).toMatchObject({ exitCode: 3 });
      const entries = entriesOf(join(directory, 'c-json.log'));
      expect(entries.length).toBe(300_100);
      expect(entries.every((entry, i) => entry.log === `${i + 1}\n`)).toBe(true);
      for (
        let tries = 0;
        existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '' && tries < 100;
        tries++
      )
        await delay(50);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('of what a killed container had written', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: { ...quiet, stdout: true },
      sink: jsonFile(),
      process: shell('i=0; while :; do i=$((i+1)); echo $i; done'),
    });
    await supervisor.owner.untilBytes(20_000);
    supervisor.owner.send({ type: 'signal', signal: 9 });
    await supervisor.owner.next('exited');
    expect(
      entriesOf(supervisor.path('c-json.log'))
        .map((entry) => entry.log)
        .join(''),
    ).toBe(supervisor.owner.output().toString());
  });
});
