import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import { type ContainerId, newContainerId } from '../../src/base/ids.ts';
import { EventHub } from '../../src/container/event-hub.ts';
import { ForeignEvents } from '../../src/container/foreign-events.ts';
import { Forgetting } from '../../src/container/forgetting.ts';
import type { ContainerRepository } from '../../src/container/repository.ts';
import type { Supervision } from '../../src/container/supervision.ts';
import type { HistoryEvent } from '../../src/contracts/events.ts';

const event = (id: ContainerId, sequence: number, status: string): HistoryEvent => ({
  ...{ sequence, time: new Date(), type: 'container', action: 'health_status', id, name: '', image: '' },
  labels: {},
  attributes: { status },
});

it('goes on hearing of what others do after the store could not be read', async () => {
  const id = newContainerId();
  const history = ['starting', 'healthy', 'unhealthy'].map((status, at) => event(id, at + 1, status));
  let reads = 0;
  const feed = {
    last: () => 0,
    async *read(after: number) {
      reads++;
      for (const each of history.slice(after)) {
        // After each event, and once before any.
        if (reads % 2 === 1) throw new HakoError('STATE_UNAVAILABLE', 'A test keeps it busy.');
        yield each;
      }
      await new Promise(() => {});
    },
  };
  const hub = new EventHub();
  const heard: string[] = [];
  hub.subscribe(id, 'health', (status) => heard.push(status));
  const foreign = new ForeignEvents({} as ContainerRepository, {} as Supervision, hub, feed, () => false);
  const end = foreign.follow(id);
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual(['starting', 'healthy', 'unhealthy']);
  end();
  const before = reads;
  await sleep(500);
  expect(reads).toBe(before);
});

it('forgets what others have removed, and nothing else', () => {
  const [there, gone] = [newContainerId(), newContainerId()];
  const hub = new EventHub();
  for (const id of [there, gone]) hub.subscribe(id, 'exit', () => {});
  const repository = { find: (id: ContainerId) => (id === there ? {} : null) } as unknown as ContainerRepository;
  const forgetting = new Forgetting(repository, [hub]);
  for (let count = 0; count < 256; count++) {
    expect([...hub.ids()]).toEqual([there, gone]);
    forgetting.met();
  }
  expect([...hub.ids()]).toEqual([there]);
});
