import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { jsonFile } from '../../plugins/log/json-file/index.ts';
import type { LogDriver, LogEntry } from '../../src/contracts/log-driver.ts';
import { reassembleLines } from '../../src/log/reassemble.ts';
import { collect, LoggedSubject, textOf } from '../../src/plugins/conformance/log-subject.ts';
import { sinkOutput } from '../../src/plugins/conformance/sink-output.ts';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';
import { supervisorWith } from '../support/supervisor-output.ts';

const create = (options: object) => (context: Parameters<typeof jsonFile.create>[0]) =>
  jsonFile.create(context, parsePluginOptions(jsonFile, options));
const subject = (options: object) => ({ create: create(options), reads: true });

/** Runs a command whose output goes to the driver's sink, to its end. */
async function run(
  logged: LoggedSubject,
  command: string,
  during?: (stop: (signal: NodeJS.Signals) => void) => Promise<void>,
): Promise<void> {
  const rotations: Promise<void>[] = [];
  const rotated = (): void =>
    void rotations.push((logged.driver as LogDriver).rotated?.(logged.container) ?? Promise.resolve());
  const supervisor = supervisorWith(
    await logged.driver.open(logged.container),
    logged.container.directory,
    rotated,
    command,
  );
  await during?.((signal) => supervisor.child.kill(signal));
  supervisor.owner.send({ type: 'stdin-eof' });
  // A supervisor that was killed tells of nothing.
  await Promise.race([supervisor.owner.next('exited').catch(() => supervisor.exited), supervisor.exited]);
  supervisor.owner.socket.destroy();
  await supervisor.exited;
  await Promise.all(rotations);
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

describe('a json-file log written by a supervisor', () => {
  it('gives every byte back that is UTF-8, whatever it is', async () => {
    await using logged = await LoggedSubject.create(subject({}));
    const all = Array.from({ length: 0x7f }, (_, code) => code).filter((code) => code !== 0x0a);
    const text = [
      String.fromCodePoint(...all),
      '"quotes" \\ back \\n slash <html>&amp;\u2028\u2029\u007f\u0080',
      '\u001b[1;31mcolour\u001b[0m\r',
      'größe 😀 \u{10ffff} \ufffd \ufeff',
      '',
      'x'.repeat(16_384),
      'y'.repeat(16_385),
      '€'.repeat(30_000),
      '\\'.repeat(20_000),
      'no newline at the end',
    ].join('\n');
    writeFileSync(`${logged.container.directory}/text`, text);
    await run(logged, `cat ${logged.container.directory}/text`);
    const entries = await logged.read();
    expect(entries.map((entry) => `${textOf(entry)}${entry.partial ? '' : '\n'}`).join('')).toBe(text);
    const lines = await collect(reassembleLines(logged.entries()));
    expect(lines.map(textOf)).toEqual(text.split('\n'));
  });

  it.each([
    ['20 files of 200 kB', { maxSize: '200k', maxFile: 20 }],
    ['20 files of 200 kB, compressed', { maxSize: '200k', maxFile: 20, compress: true }],
  ])('is followed without a gap through %s, written as fast as can be', async (_name, options) => {
    await using logged = await LoggedSubject.create(subject(options));
    const followed = collect(logged.entries({ follow: true }));
    await run(logged, 'seq 1 40000');
    await logged.end();
    expect((await followed).map(textOf)).toEqual(numbers(1, 40_000));
    const kept = (await logged.read()).map(textOf);
    expect(kept).toEqual(numbers(1, 40_000).slice(-kept.length));
    expect((await logged.read({ tail: 12_345 })).map(textOf)).toEqual(numbers(40_000 - 12_344, 40_000));
    expect(logged.context.warnings).toEqual([]);
  });

  it('is followed without a gap when only one file is kept, as long as the reader keeps up', async () => {
    await using logged = await LoggedSubject.create(subject({ maxSize: '2k', maxFile: 1 }));
    const followed = collect(logged.entries({ follow: true }));
    await run(logged, 'for i in $(seq 1 300); do echo $i; sleep 0.004; done');
    await logged.end();
    expect((await followed).map(textOf)).toEqual(numbers(1, 300));
  });

  it('is read while it is written, rotated and compressed', async () => {
    await using logged = await LoggedSubject.create(subject({ maxSize: '100k', maxFile: 200, compress: true }));
    let sawSome = 0;
    await run(
      logged,
      'for i in $(seq 1 20); do seq $(($i * 1000 - 999)) $(($i * 1000)); sleep 0.02; done',
      async () => {
        for (let round = 0; round < 12; round++) {
          const [all, tail] = await Promise.all([logged.read(), logged.read({ tail: 100 })]);
          expect(all.map(textOf)).toEqual(numbers(1, all.length));
          const last = Number(tail[tail.length - 1] === undefined ? 0 : textOf(tail[tail.length - 1] as LogEntry));
          expect(tail.map(textOf)).toEqual(numbers(last - tail.length + 1, last));
          if (all.length > 0) sawSome++;
          await delay(20);
        }
      },
    );
    expect(sawSome).toBeGreaterThan(0);
    expect((await logged.read()).map(textOf)).toEqual(numbers(1, 20_000));
    const names = readdirSync(logged.container.directory);
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(names.filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(5);
    expect(names.filter((name) => /\.log\.\d+$/.test(name))).toEqual([]);
  });

  it('outlives its supervisor, and is gone on with by the next', async () => {
    await using logged = await LoggedSubject.create(subject({ maxSize: '500k', maxFile: 100 }));
    const followed = collect(logged.entries({ follow: true }));
    await run(logged, 'i=0; while :; do i=$((i + 1)); echo $i; done', async (kill) => {
      await delay(200);
      kill('SIGKILL');
    });
    const before = (await logged.read()).map(textOf);
    expect(before.length).toBeGreaterThan(0);
    expect(before).toEqual(numbers(1, before.length));
    // What a power cut may leave: the next supervisor cuts it off.
    appendFileSync(`${logged.container.directory}/${logged.container.id}-json.log`, '{"log":"torn');
    await run(logged, 'echo again');
    await logged.end();
    expect((await followed).map(textOf)).toEqual([...before, 'again']);
    expect((await logged.read({ tail: 2 })).map(textOf)).toEqual([before.at(-1), 'again']);
  });
});

describe('a long json-file log', () => {
  it('is read in bounded memory, from either end', async () => {
    await using logged = await LoggedSubject.create(subject({}));
    const output = sinkOutput(await logged.driver.open(logged.container), logged.container.directory, {
      rotated: () => {},
      lock: async () => null,
    });
    await output.write('stdout', `${'x'.repeat(99)}\n`.repeat(1_000));
    const path = `${logged.container.directory}/${logged.container.id}-json.log`;
    const block = readFileSync(path);
    const blocks = Math.ceil((96 * 1024 * 1024) / block.length);
    for (let written = 1; written < blocks; written++) appendFileSync(path, block);

    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const kept = (): number => {
      collectGarbage();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const before = kept();
    let most = 0;
    let count = 0;
    let wrong = 0;
    for await (const entry of logged.entries()) {
      if (entry.line.length !== 99) wrong++;
      if (++count % 50_000 === 0) most = Math.max(most, kept() - before);
    }
    expect([count, wrong]).toEqual([blocks * 1_000, 0]);
    expect(most).toBeLessThan(16 * 1024 * 1024);

    const start = performance.now();
    expect(await logged.read({ tail: 10 })).toHaveLength(10);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
