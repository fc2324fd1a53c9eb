import { existsSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { JournalReader, type JournalRecord } from './support/journal-reader.ts';
import { SupervisorProcess, shell } from './support/supervisor-process.ts';

const quiet = { stdin: false, stdout: false, stderr: false };
const journal = (blocking: boolean, capacity = 65_536) =>
  ({ kind: 'journal', file: 'journal', capacity, blocking }) as const;
const numbers = (records: readonly JournalRecord[]): number[] => records.map((record) => Number(record.text));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Reads and acknowledges until the supervisor has written its last. */
async function follow(reader: JournalReader): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for (;;) {
    const { ended } = reader;
    records.push(...reader.read());
    reader.acknowledge();
    if (ended) return records;
    await delay(5);
  }
}

describe('the journal', () => {
  test('keeps stream, time, order and pieces', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({
      attach: quiet,
      sink: journal(true),
      process: shell(
        'echo one; sleep 0.05; echo two >&2; sleep 0.05; head -c 40000 /dev/zero | tr "\\0" x; echo; printf end',
      ),
    });
    await supervisor.owner.next('exited');
    using reader = new JournalReader(supervisor.path('journal'));
    const records = reader.read();
    expect(records.map(({ stream, complete, ordinal, text }) => [stream, complete, ordinal, text.length])).toEqual([
      [1, true, 0, 3],
      [2, true, 0, 3],
      [1, false, 1, 16_384],
      [1, false, 2, 16_384],
      [1, true, 3, 40_000 - 2 * 16_384],
      [1, false, 1, 3],
    ]);
    expect(records.map((record) => record.sequence)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
    expect(records.every((record) => Math.abs(Number(record.time / 1_000_000n) - Date.now()) < 10_000)).toBe(true);
    expect(statSync(supervisor.path('journal')).size).toBe(4_096 + 65_536 + 262_144);
  });

  test('blocking: the container waits for the reader, and nothing is lost around the ring', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: quiet,
      sink: journal(true),
      process: shell('seq 1 60000'),
    });
    await delay(200);
    supervisor.owner.send({ type: 'state' });
    expect((await supervisor.owner.next('state-reply')).running).toBe(true);
    using reader = new JournalReader(supervisor.path('journal'));
    expect(Number(reader.written)).toBeLessThanOrEqual(65_536);
    const records = await follow(reader);
    expect(supervisor.exitRecord).toMatchObject({ exitCode: 0 });
    expect(numbers(records)).toEqual(range(1, 60_000));
    expect(records.map((record) => Number(record.sequence))).toEqual(range(0, 59_999));
    expect(reader.dropped).toBe(0n);
  });

  test('blocking: a container that ends waits for no reader, and what it held back is kept', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.start({ attach: quiet, sink: journal(true), process: shell('seq 1 3000; exit 5') });
    expect((await supervisor.owner.next('exited')).exitCode).toBe(5);
    using reader = new JournalReader(supervisor.path('journal'));
    expect(Number(reader.written)).toBeGreaterThan(65_536);
    expect(numbers(reader.read())).toEqual(range(1, 3_000));
  });

  test('blocking: a container that is killed while it waits loses nothing of what was taken', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: { ...quiet, stdout: true },
      sink: journal(true),
      process: shell('i=0; while :; do i=$((i+1)); echo $i; done'),
    });
    await delay(500);
    supervisor.owner.send({ type: 'signal', signal: 9 });
    expect(await supervisor.owner.next('exited')).toMatchObject({ signal: 9 });
    using reader = new JournalReader(supervisor.path('journal'));
    expect(supervisor.exitRecord).toMatchObject({ signal: 9 });
    const kept = await follow(reader);
    expect(kept.map((record) => `${record.text}\n`).join('')).toBe(supervisor.owner.output().toString());
    expect(reader.dropped).toBe(0n);
  });

  test('blocking: with no reader at all, the supervisor ends in bounded time and counts what it had to drop', async () => {
    await using supervisor = await SupervisorProcess.started({
      attach: { ...quiet, stdout: true },
      sink: journal(true),
      process: shell('i=0; while :; do i=$((i+1)); echo $i; done'),
    });
    await delay(500);
    supervisor.owner.send({ type: 'signal', signal: 9 });
    await supervisor.owner.next('exited');
    const before = Date.now();
    expect(await supervisor.exited).toBe(0);
    expect(Date.now() - before).toBeLessThan(5_000);
    using reader = new JournalReader(supervisor.path('journal'));
    const kept = reader.read();
    expect(reader.ended).toBe(true);
    expect(numbers(kept)).toEqual(range(1, kept.length));
    expect(kept.length + Number(reader.dropped)).toBe(
      supervisor.owner.output().toString().trimEnd().split('\n').length,
    );
  });

  test('non-blocking: the newest are dropped and counted, and the gap shows in the sequence', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: { stdin: true, stdout: true, stderr: false },
      sink: journal(false),
      process: shell('seq 1 20000; read x; echo 20001; read x'),
    });
    await supervisor.owner.until((text) => text.endsWith('20000\n'));
    using reader = new JournalReader(supervisor.path('journal'));
    const kept = reader.read();
    reader.acknowledge();
    expect(numbers(kept)).toEqual(range(1, kept.length));
    expect(kept.length + Number(reader.dropped)).toBe(20_000);
    supervisor.owner.send({ type: 'state' });
    const state = await supervisor.owner.next('state-reply');
    expect([state.logRecordsWritten, state.logRecordsLost]).toEqual([BigInt(kept.length), reader.dropped]);
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('\n') });
    await supervisor.owner.until((text) => text.endsWith('20001\n'));
    expect(reader.read()).toMatchObject([{ text: '20001', sequence: 20_000n }]);
  });

  test('a second run goes on where the first ended, with what nobody acknowledged', async () => {
    const first = new SupervisorProcess();
    first.start({ attach: quiet, sink: journal(false), process: shell('seq 1 10') });
    await first.owner.next('exited');
    await first.exited;
    await using second = new SupervisorProcess(first.directory);
    second.start({ attach: quiet, sink: journal(false, 131_072), process: shell('seq 11 20') });
    await second.owner.next('exited');
    using reader = new JournalReader(second.path('journal'));
    const records = reader.read();
    expect(numbers(records)).toEqual(range(1, 20));
    expect(records.at(-1)?.sequence).toBe(19n);
    expect(reader.capacity).toBe(65_536);
  });

  test('a file that is none is put aside', async () => {
    await using supervisor = new SupervisorProcess();
    writeFileSync(supervisor.path('journal'), 'x'.repeat(10_000));
    supervisor.start({ attach: quiet, sink: journal(false), process: shell('echo 1') });
    await supervisor.owner.next('exited');
    expect(existsSync(supervisor.path('journal.corrupt'))).toBe(true);
    using reader = new JournalReader(supervisor.path('journal'));
    expect(numbers(reader.read())).toEqual([1]);
  });

  test('a reader that writes nonsense is not believed', async () => {
    await using supervisor = await SupervisorProcess.started({
      stdin: true,
      attach: { stdin: true, stdout: true, stderr: false },
      sink: journal(false),
      process: shell('read x; seq 1 20000; read x'),
    });
    writeFileSync(supervisor.path('journal'), Buffer.alloc(8, 0xff), { flag: 'r+' });
    supervisor.owner.send({ type: 'stdin', data: Buffer.from('\n') });
    await supervisor.owner.until((text) => text.endsWith('20000\n'));
    supervisor.owner.send({ type: 'state' });
    const state = await supervisor.owner.next('state-reply');
    expect(state.logRecordsWritten + state.logRecordsLost).toBe(20_000n);
  });
});
