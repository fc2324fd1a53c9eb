import { execFileSync } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FrameType } from '../../src/native/protocol.ts';
import { describeWith } from '../support/requires.ts';
import { type RawSession, SupervisorProcess, sanitized, shell } from './support/supervisor-process.ts';

const raw = (type: number, payload: Uint8Array, length = payload.length): Buffer => {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(length, 0);
  header.writeUInt8(type, 4);
  return Buffer.concat([header, payload]);
};
const idle = (): Promise<SupervisorProcess> => SupervisorProcess.started({ process: shell('exec sleep 1000') });

describe('who may connect', () => {
  const stranger = `
    const socket = require('node:net').connect(process.argv[1]);
    socket.on('data', () => console.log('answered')).on('close', () => console.log('closed')).on('error', (error) => console.log(error.code));
    socket.write(Buffer.from([0, 0, 0, 0, ${FrameType.STATE}]));`;
  const as = (uid: number, path: string): string =>
    execFileSync(process.execPath, ['-e', stranger, path], {
      uid,
      gid: uid,
      encoding: 'utf8',
      timeout: 5_000,
      killSignal: 'SIGKILL',
    });

  describeWith({ root: true }, 'another user', () => {
    test('is kept out by the socket’s mode, and by the supervisor itself', async () => {
      await using supervisor = await idle();
      chmodSync(supervisor.directory, 0o755);
      expect(statSync(supervisor.path('control.sock')).mode & 0o777).toBe(0o600);
      expect(as(65_534, supervisor.path('control.sock'))).toContain('EACCES');
      chmodSync(supervisor.path('control.sock'), 0o666);
      expect(as(65_534, supervisor.path('control.sock'))).toMatch(/^(closed|EPIPE|ECONNRESET)/);
    });
  });

  test('no more than a thousand at once, and again when they have left', async () => {
    await using supervisor = await idle();
    const sessions: RawSession[] = [];
    while (sessions.length < 1_100)
      sessions.push(...(await Promise.all(Array.from({ length: 100 }, () => supervisor.connect()))));
    for (const session of sessions) session.send({ type: 'state' });
    const answers = await Promise.all(
      sessions.map((session) => Promise.race([session.next('state-reply'), session.next('failed')])),
    );
    const refused = answers.filter((answer) => answer.type === 'failed');
    expect(refused.length).toBeGreaterThan(50);
    expect(refused[0]).toMatchObject({ operation: 'session', errno: 11 });
    for (const session of sessions) session.socket.destroy();
    await delay(200);
    const late = await supervisor.connect();
    late.send({ type: 'state' });
    expect((await late.next('state-reply')).running).toBe(true);
    await delay(400);
    if (!sanitized) expect(supervisor.memory('Private_Dirty')).toBeLessThan(200);
  });
});

describe('a request that is not sound', () => {
  test.each([
    ['an unknown type', raw(99, Buffer.alloc(0))],
    ['a type of the supervisor', raw(FrameType.EXITED, Buffer.alloc(0))],
    ['a second START', raw(FrameType.START, Buffer.alloc(4))],
    ['a length over the limit', raw(FrameType.STDIN, Buffer.alloc(0), 65_537)],
    ['a length of 4 GiB', raw(FrameType.EXEC, Buffer.alloc(0), 0xffff_ffff)],
    ['a payload that is too short', raw(FrameType.SIGNAL, Buffer.alloc(3))],
    ['bytes left over', raw(FrameType.SIGNAL, Buffer.from([15, 0, 0, 0, 0]))],
    ['a signal that is none', raw(FrameType.SIGNAL, Buffer.from([99, 0, 0, 0]))],
    ['signal 0', raw(FrameType.SIGNAL, Buffer.alloc(4))],
    ['stdin without having attached it', raw(FrameType.STDIN, Buffer.from('x'))],
    ['unknown flags', raw(FrameType.ATTACH, Buffer.from([0xff, 0, 0, 0]))],
    [
      'attaching twice',
      Buffer.concat([raw(FrameType.ATTACH, Buffer.alloc(4)), raw(FrameType.ATTACH, Buffer.alloc(4))]),
    ],
    [
      'an exec that is not first',
      Buffer.concat([raw(FrameType.ATTACH, Buffer.alloc(4)), raw(FrameType.EXEC, Buffer.alloc(4))]),
    ],
    ['an exec of nothing', raw(FrameType.EXEC, Buffer.alloc(0))],
    ['a hold that is neither', raw(FrameType.HOLD, Buffer.from([2]))],
    ['a STATE with a payload', raw(FrameType.STATE, Buffer.from([0]))],
  ])('%s ends that session only', async (_name, bytes) => {
    await using supervisor = await idle();
    const session = await supervisor.connect();
    session.sendRaw(bytes);
    expect(await session.next('failed')).toMatchObject({ operation: 'protocol', errno: 0 });
    await session.closed;
    const next = await supervisor.connect();
    next.send({ type: 'state' });
    expect((await next.next('state-reply')).running).toBe(true);
  });

  test('anything but START on the owner’s session ends the supervisor', async () => {
    await using supervisor = new SupervisorProcess();
    supervisor.owner.send({ type: 'state' });
    expect(await supervisor.owner.next('failed')).toMatchObject({ operation: 'protocol' });
    expect(await supervisor.exited).toBe(1);
  });

  test('a frame cut off by the end of the connection does nothing', async () => {
    await using supervisor = await idle();
    const session = await supervisor.connect();
    session.sendRaw(raw(FrameType.SIGNAL, Buffer.from([9, 0]), 4));
    session.socket.end();
    await session.closed;
    supervisor.owner.send({ type: 'state' });
    expect((await supervisor.owner.next('state-reply')).running).toBe(true);
  });
});
