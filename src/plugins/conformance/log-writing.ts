import { expect, it } from 'vitest';
import type { LogContainerInfo, LogDriver, LogEntry, LogWriter } from '../../contracts/log-driver.ts';
import type { LogDriverSubject, ReceivedEntry } from './log-driver.ts';
import { LoggedSubject, textOf } from './log-subject.ts';
import { entriesOf } from './writer-output.ts';

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const linesOf = (texts: readonly string[], stream: LogEntry['stream'] = 'stdout'): LogEntry[] =>
  texts.flatMap((text) => entriesOf(stream, `${text}\n`));

/** What has been written is at the far end. */
export function logWritingCases(subject: LogDriverSubject, received: NonNullable<LogDriverSubject['received']>): void {
  const arrived = async (container: LogContainerInfo): Promise<string[]> => (await received(container)).map(textOf);

  it('has delivered what it was given when `write` resolves', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using writer = await writerOf(logged);
    await writer.write(linesOf(['first', '', 'größe 😀 "quoted" \\ \t']));
    await writer.write(linesOf(['to stderr'], 'stderr'));
    const entries = await received(logged.container);
    expect(entries.map(textOf)).toEqual(['first', '', 'größe 😀 "quoted" \\ \t', 'to stderr']);
    expectStreams(entries, ['stdout', 'stdout', 'stdout', 'stderr']);
  });

  it('delivers the pieces of a line that is longer than 16 KiB', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using writer = await writerOf(logged);
    const long = `${'0123456789'.repeat(4_000)}!`;
    await writer.write(entriesOf('stdout', `${long}\nafter\n`));
    expect((await arrived(logged.container)).join('')).toBe(`${long}after`);
  });

  it('keeps the order, within a batch and from one to the next', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using writer = await writerOf(logged);
    for (let first = 1; first <= 1_000; first += 50) await writer.write(linesOf(numbers(first, first + 49)));
    expect(await arrived(logged.container)).toEqual(numbers(1, 1_000));
  });

  it('takes a batch of thousands', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using writer = await writerOf(logged);
    await writer.write(linesOf(numbers(1, 4_096)));
    expect(await arrived(logged.container)).toEqual(numbers(1, 4_096));
  });

  it('goes on where another writer, of another driver, left off', async () => {
    await using logged = await LoggedSubject.create(subject);
    const first = await writerOf(logged);
    await first.write(linesOf(['1', '2']));
    await first.flush?.();
    await first[Symbol.asyncDispose]();
    await using another = await logged.anotherDriver();
    await using second = await writerOf(logged, another);
    await second.write(linesOf(['3', '4']));
    await second.flush?.();
    expect(await arrived(logged.container)).toEqual(numbers(1, 4));
  });

  it('keeps the logs of two containers apart', async () => {
    await using one = await LoggedSubject.create(subject);
    await using other = await LoggedSubject.create(subject);
    await using writers = await writerOf(one);
    await using others = await writerOf(other, one.driver);
    await Promise.all([writers.write(linesOf(['one'])), others.write(linesOf(['other']))]);
    expect(await arrived(one.container)).toEqual(['one']);
    expect(await arrived(other.container)).toEqual(['other']);
  });

  it('has nothing to deliver when nothing was written', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using writer = await writerOf(logged);
    await writer.flush?.();
    expect(await arrived(logged.container)).toEqual([]);
  });
}

async function writerOf({ driver: own, container }: LoggedSubject, driver: LogDriver = own): Promise<LogWriter> {
  if (driver.writer === undefined) throw new Error('this driver has no writer');
  await driver.open(container);
  return driver.writer(container);
}

/** Of a far end that keeps them apart. */
function expectStreams(entries: readonly ReceivedEntry[], streams: readonly LogEntry['stream'][]): void {
  for (const [index, { stream }] of entries.entries())
    if (stream !== undefined) expect(stream, `the stream of entry ${index}`).toBe(streams[index]);
}
