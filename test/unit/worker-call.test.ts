import { Socket } from 'node:net';
import { HakoError } from 'libhako';
import { expect, it } from 'vitest';
import { callWorker } from '../../src/native/worker/call.ts';

it('reaps a worker that was killed before it took its request, and says that it was lost', async () => {
  const socket = new Socket();
  // As a write to one that is gone: the connection is reset.
  socket.write = () => {
    setImmediate(() => socket.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' })));
    return true;
  };
  let reaped = 0;
  const worker = {
    socket,
    kill: () => {},
    reap: async () => {
      reaped++;
      return { code: 0, signal: 9 } as never;
    },
  };
  const signal = new AbortController().signal;
  const failure = await callWorker(worker, Buffer.alloc(8), { signal }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(HakoError);
  expect(failure).toMatchObject({ code: 'HAKO_ERR_SYSCALL_FAILED', message: expect.stringContaining('signal 9') });
  expect(reaped).toBe(1);
});
