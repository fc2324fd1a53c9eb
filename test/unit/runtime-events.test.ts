import { expect, it } from 'vitest';
import { RuntimeEventBus } from '../../src/core/runtime-events.ts';

it('keeps the last warnings until somebody listens', async () => {
  const events = new RuntimeEventBus();
  for (let count = 1; count <= 105; count++) events.emit('warning', { message: String(count) });
  const heard: string[] = [];
  events.on('warning', ({ message }) => heard.push(message));
  expect(heard).toEqual([]);
  await Promise.resolve();
  expect(heard.length).toBe(100);
  expect([heard[0], heard.at(-1)]).toEqual(['6', '105']);
  events.emit('warning', { message: 'now' });
  expect(heard.at(-1)).toBe('now');
});

it('tells each listener, until it is taken off', () => {
  const events = new RuntimeEventBus();
  const heard: string[] = [];
  const one = () => void heard.push('one');
  events.on('image:remove', one);
  events.on('image:remove', () => heard.push('two'));
  events.emit('image:remove', { id: 'x', time: new Date() });
  events.off('image:remove', one);
  events.emit('image:remove', { id: 'x', time: new Date() });
  expect(heard).toEqual(['one', 'two', 'two']);
});
