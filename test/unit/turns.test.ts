import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Gate } from '../../src/base/gate.ts';
import { Turns } from '../../src/base/turns.ts';

it('lets few work at a time, in order, and takes a failure for an end', async () => {
  const turns = new Turns({ width: 3, patience: 60_000 });
  let [inside, most] = [0, 0];
  const order: number[] = [];
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, number) =>
      turns.take(async () => {
        order.push(number);
        most = Math.max(most, ++inside);
        await delay(2);
        inside--;
        if (number % 4 === 0) throw new Error(String(number));
        return number;
      }),
    ),
  );
  expect(most).toBe(3);
  expect(order).toEqual(Array.from({ length: 20 }, (_, number) => number));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(5);
});

it('begins at once where there is room', () => {
  const turns = new Turns({ width: 1, patience: 60_000 });
  let begun = 0;
  for (let i = 0; i < 2; i++) void turns.take(async () => void begun++);
  expect(begun).toBe(1);
});

it('lets what waits in the event loop come between two turns', async () => {
  const turns = new Turns({ width: 1, patience: 60_000 });
  const order: string[] = [];
  const works = ['a', 'b', 'c'].map((name) => turns.take(async () => void order.push(name)));
  const ticks = (async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      order.push('tick');
    }
  })();
  await Promise.all([...works, ticks]);
  expect(order.indexOf('tick')).toBeLessThan(order.indexOf('c'));
});

it('does not let one that hangs keep the others waiting', async () => {
  const turns = new Turns({ width: 1, patience: 20 });
  const hanging = Promise.withResolvers<void>();
  const first = turns.take(() => hanging.promise);
  await turns.take(async () => {});
  // When it does end, it gives no second turn away.
  hanging.resolve();
  await first;
  let [inside, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++inside);
    await delay(1);
    inside--;
  };
  await Promise.all([turns.take(work), turns.take(work), turns.take(work)]);
  expect(most).toBe(1);
});

it('refuses those whose turn has not come when the gate closes', async () => {
  const gate = new Gate(() => new Error('closed'));
  const works = Array.from({ length: 20 }, () => gate.passInTurn(() => delay(5)));
  const outcomes = Promise.allSettled(works);
  await gate.close();
  const refused = (await outcomes).filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(10);
  expect(refused.length).toBeLessThan(20);
});
