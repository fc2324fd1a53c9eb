import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { GivenExec } from '../../src/container/call-options.ts';
import { ExecLauncher, type ExecLauncherParts } from '../../src/container/exec-launcher.ts';
import type { Supervised } from '../../src/container/supervision.ts';

/** A session whose supervisor takes its time. */
function slowSession() {
  const reply = Promise.withResolvers<object>();
  const said: string[] = [];
  const session = {
    attach: () => said.push('attach'),
    state: () => {
      said.push('state');
      return reply.promise;
    },
    exited: new Promise(() => {}),
    onHeldUp: undefined as (() => void) | undefined,
    close: async () => void said.push('close'),
  };
  const launcher = new ExecLauncher({
    states: { directory: () => '/nowhere' },
    launcher: { connect: async () => session },
  } as unknown as ExecLauncherParts);
  const attaching = launcher.attach({ record: { id: 'x' } } as unknown as Supervised, {});
  let isDone = false;
  attaching.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  return { session, said, reply, attaching, isDone: async () => turn().then(() => isDone) };
}

it('attaches when the supervisor has answered, and not before', async () => {
  const { said, reply, attaching, isDone } = slowSession();
  expect(await isDone()).toBe(false);
  expect(said).toEqual(['attach', 'state']);
  reply.resolve({});
  await attaching;
});

it('attaches when output comes before the answer', async () => {
  const { session, attaching, isDone } = slowSession();
  expect(await isDone()).toBe(false);
  session.onHeldUp?.();
  await attaching;
  expect(session.onHeldUp).toBeUndefined();
});

it('closes its session when the supervisor is lost', async () => {
  const { said, reply, attaching } = slowSession();
  reply.reject(new Error('lost'));
  await expect(attaching).rejects.toThrow('lost');
  expect(said).toEqual(['attach', 'state', 'close']);
});

it('closes the session of an exec whose isolation cannot be read, and reads it again for the next', async () => {
  const plan = vi.fn().mockRejectedValueOnce(new Error('the store is busy')).mockRejectedValueOnce(new Error('still'));
  const close = vi.fn(async () => {});
  const launcher = new ExecLauncher({
    states: { directory: () => '/nowhere' },
    launcher: { connect: async () => ({ close }) },
    planner: { plan },
  } as unknown as ExecLauncherParts);
  const supervised = { record: { id: 'x', options: {} } } as unknown as Supervised;
  const call = { command: ['true'], exec: {}, maxOutput: 0 } as unknown as GivenExec;
  await expect(launcher.start(supervised, call)).rejects.toThrow('the store is busy');
  expect(close).toHaveBeenCalledTimes(1);
  await expect(launcher.start(supervised, call)).rejects.toThrow('still');
  expect(close).toHaveBeenCalledTimes(2);
});
