import { describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/base/dispose.ts';
import { raceSignal } from '../../src/base/signal.ts';

describe('Disposer', () => {
  it('closes in the reverse order, waiting for each, and once', async () => {
    const order: string[] = [];
    const disposer = new Disposer();
    disposer.defer(() => order.push('first'));
    disposer.use({ [Symbol.dispose]: () => void order.push('second') });
    disposer.use({
      [Symbol.asyncDispose]: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push('third');
      },
    });
    await disposer[Symbol.asyncDispose]();
    await disposer[Symbol.asyncDispose]();
    expect(order).toEqual(['third', 'second', 'first']);
  });

  it('gives back what it is given to use', () => {
    const resource = { [Symbol.dispose]: () => {}, name: 'mine' };
    expect(new Disposer().use(resource)).toBe(resource);
  });

  it('closes all, whatever fails, and throws the failures', async () => {
    const closed = vi.fn();
    const one = new Disposer();
    one.defer(closed);
    one.defer(() => Promise.reject(new Error('a')));
    await expect(one[Symbol.asyncDispose]()).rejects.toThrow('a');
    const several = new Disposer();
    several.defer(() => Promise.reject(new Error('b')));
    several.defer(closed);
    several.defer(() => {
      throw new Error('c');
    });
    await expect(several[Symbol.asyncDispose]()).rejects.toMatchObject({ errors: [new Error('c'), new Error('b')] });
    expect(closed).toHaveBeenCalledTimes(2);
  });

  it('closes nothing that it was told to release', async () => {
    const close = vi.fn();
    const disposer = new Disposer();
    disposer.defer(close);
    disposer.release();
    await disposer[Symbol.asyncDispose]();
    expect(close).not.toHaveBeenCalled();
  });
});

describe('raceSignal', () => {
  const reason = new Error('enough');

  it('waits for a promise, or for the signal, whichever is first', async () => {
    const never = new Promise<void>(() => {});
    expect(await raceSignal(Promise.resolve(1), undefined)).toBe(1);
    expect(await raceSignal(Promise.resolve(1), new AbortController().signal)).toBe(1);
    await expect(raceSignal(Promise.reject(new Error('its own')), new AbortController().signal)).rejects.toThrow(
      'its own',
    );
    await expect(raceSignal(never, AbortSignal.abort(reason))).rejects.toBe(reason);
    const abort = new AbortController();
    const waiting = raceSignal(never, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('lets no late failure loose, and leaves no listener behind', async () => {
    const abort = new AbortController();
    const add = vi.spyOn(abort.signal, 'addEventListener');
    const remove = vi.spyOn(abort.signal, 'removeEventListener');
    const late = Promise.withResolvers<void>();
    const waiting = raceSignal(late.promise, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    late.reject(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });
});
