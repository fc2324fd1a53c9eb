import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { LogEntry, LogQuery } from '../../contracts/log-driver.ts';
import type { LogDriverSubject } from './log-driver.ts';
import { LoggedSubject, textOf } from './log-subject.ts';

const patience = 10_000;

/** Reads on in the background. */
class Follower {
  readonly seen: string[] = [];
  readonly done: Promise<void>;

  constructor(entries: AsyncIterable<LogEntry>) {
    this.done = (async () => {
      for await (const entry of entries) this.seen.push(textOf(entry));
    })();
    this.done.catch(() => {});
  }

  async until(count: number): Promise<void> {
    for (const end = Date.now() + patience; this.seen.length < count; await delay(5)) {
      if (Date.now() > end)
        throw new Error(`waited ${patience} ms for ${count} lines; these came: ${this.seen.join(', ')}`);
    }
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

/** What is being printed is what is read. */
export function logFollowingCases(subject: LogDriverSubject): void {
  const follow = (logged: LoggedSubject, query: LogQuery = {}): Follower =>
    new Follower(logged.entries({ follow: true, ...query }));

  it('gives what was there and what comes, and ends with the container', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('1\n2\n');
    const follower = follow(logged);
    await follower.until(2);
    await logged.print('3\n', 'stderr');
    await follower.until(3);
    await logged.print('4\n');
    await logged.end();
    await follower.done;
    expect(follower.seen).toEqual(numbers(1, 4));
  });

  it('waits for a container that has not been started yet', async () => {
    await using logged = await LoggedSubject.create(subject);
    const follower = follow(logged);
    await delay(20);
    await logged.print('1\n');
    await follower.until(1);
    await logged.end();
    await follower.done;
    expect(follower.seen).toEqual(['1']);
  });

  it('ends at once when the container has ended already', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('1\n2\n3\n');
    await logged.end();
    const follower = follow(logged, { tail: 2 });
    await follower.done;
    expect(follower.seen).toEqual(['2', '3']);
  });

  it('begins with the last lines that are asked for', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('1\n2\n3\n');
    const followers = [0, 1, 5].map((tail) => follow(logged, { tail }));
    await followers[2]?.until(3);
    await delay(50);
    await logged.print('4\n');
    await logged.end();
    await Promise.all(followers.map((follower) => follower.done));
    expect(followers.map((follower) => follower.seen)).toEqual([['4'], ['3', '4'], numbers(1, 4)]);
  });

  it('misses nothing of a long log', async () => {
    await using logged = await LoggedSubject.create(subject);
    const follower = follow(logged);
    for (let first = 1; first <= 1_000; first += 20) {
      await logged.print(
        numbers(first, first + 19)
          .map((line) => `${line}\n`)
          .join(''),
      );
      await follower.until(first + 19);
    }
    await logged.end();
    await follower.done;
    expect(follower.seen).toEqual(numbers(1, 1_000));
  });

  it('gives the same to several followers, of several drivers', async () => {
    await using logged = await LoggedSubject.create(subject);
    await using another = await logged.anotherDriver();
    const followers = [
      follow(logged),
      new Follower(logged.entries({ follow: true }, undefined, another)),
      follow(logged, { stderr: false }),
    ];
    for (const line of numbers(1, 50)) await logged.print(`${line}\n`);
    await logged.end();
    for (const follower of followers) {
      await follower.done;
      expect(follower.seen).toEqual(numbers(1, 50));
    }
  });

  it("stops with the signal's own reason while it waits", async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('1\n');
    const abort = new AbortController();
    const follower = new Follower(logged.entries({ follow: true }, { signal: abort.signal }));
    await follower.until(1);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(follower.done).rejects.toBe(reason);
  });

  it('ends by itself after `until`', async () => {
    await using logged = await LoggedSubject.create(subject);
    await logged.print('1\n');
    const follower = follow(logged, { until: BigInt(Date.now() + 200) * 1_000_000n });
    await follower.done;
    expect(follower.seen).toEqual(['1']);
  });
}
