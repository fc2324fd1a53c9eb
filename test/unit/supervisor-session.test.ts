import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type ExecRequest, FrameType, MAX_FRAME } from '../../src/native/protocol.ts';
import { SupervisorSession } from '../../src/native/supervisor-session.ts';

// The other end is a socket of this test's own, so that it can also do what a supervisor never would.

let directory: string;
let server: Server;
let peers: Socket[] = [];
let sessions: SupervisorSession[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hako-session-'));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(directory, 'socket'), resolve));
});
afterEach(async () => {
  for (const peer of peers) peer.destroy();
  for (const session of sessions) await session.close();
  peers = [];
  sessions = [];
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

/** Frames that the session has sent, as [type, payload]. */
class Peer {
  readonly socket: Socket;
  readonly frames: [type: number, payload: Buffer][] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32LE()) {
        const length = this.#rest.readUInt32LE();
        this.frames.push([this.#rest.readUInt8(4), this.#rest.subarray(5, 5 + length)]);
        this.#rest = this.#rest.subarray(5 + length);
      }
    });
  }

  send(type: number, ...parts: (Uint8Array | number[])[]): boolean {
    const payload = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const header = Buffer.alloc(5);
    header.writeUInt32LE(payload.length);
    header[4] = type;
    return this.socket.write(Buffer.concat([header, payload]));
  }

  started = () => this.send(FrameType.STARTED, Buffer.alloc(29));
  stateReply = () => this.send(FrameType.STATE_REPLY, Buffer.alloc(41));
  output = (stream: 1 | 2, data: Uint8Array) => this.send(FrameType.OUTPUT, [stream], data);
  exited = (code: number) => this.send(FrameType.EXITED, [code, 0, 0, 0], Buffer.alloc(14));
  failed(operation: string, errno: number, detail = 'x') {
    const text = (value: string) => [value.length, 0, 0, 0, ...Buffer.from(value)];
    return this.send(FrameType.FAILED, text(operation), [errno, 0, 0, 0], text(detail));
  }
}

async function connect(): Promise<{ session: SupervisorSession; peer: Peer }> {
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const socket = new Socket();
  await new Promise<void>((resolve) => socket.connect(join(directory, 'socket'), resolve));
  const session = new SupervisorSession(socket);
  const peer = new Peer(await accepted);
  peers.push(peer.socket);
  sessions.push(session);
  return { session, peer };
}

const exec: ExecRequest = {
  id: 'ab',
  detached: false,
  stdin: true,
  attach: { stdin: true, stdout: true, stderr: true },
  cgroups: [],
  process: {
    argv: ['/bin/true'],
    env: [],
    cwd: '/',
    user: '',
    additionalGroups: [],
    tty: false,
    noNewPrivileges: true,
    init: false,
    createCwd: false,
    capabilities: { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
    umask: 0o22,
    rlimits: [],
    oomScoreAdj: null,
    seccomp: null,
    idEmulation: null,
    apparmorProfile: '',
    terminalSize: { rows: 0, columns: 0 },
  },
};

test('a program that runs: started, both outputs in order, its exit', async () => {
  const { session, peer } = await connect();
  const started = session.exec(exec);
  await vi.waitFor(() => expect(peer.frames[0]?.[0]).toBe(FrameType.EXEC));
  peer.started();
  peer.output(1, Buffer.from('out'));
  peer.output(2, Buffer.from('err'));
  peer.output(1, Buffer.from('more'));
  peer.exited(3);
  peer.socket.end();
  expect((await started).type).toBe('started');
  expect((await buffer(session.stdout)).toString()).toBe('outmore');
  expect((await buffer(session.stderr)).toString()).toBe('err');
  expect(await session.exited).toMatchObject({ exitCode: 3, signal: null, oomKilled: false });
  await session.closed;
});

test('a failure to start is that error for all who wait', async () => {
  const { session, peer } = await connect();
  const started = session.exec(exec);
  peer.failed('exec', constants.errno.ENOENT, '/bin/nope');
  await expect(started).rejects.toMatchObject({ code: 'HAKO_ERR_COMMAND_NOT_FOUND', path: '/bin/nope' });
  await expect(session.exited).rejects.toMatchObject({ code: 'HAKO_ERR_COMMAND_NOT_FOUND' });
});

test("a failure that is nobody's fault is an exec's on an exec's session", async () => {
  const { session, peer } = await connect();
  const started = session.exec(exec);
  peer.failed('rlimit', constants.errno.ENOMEM);
  await expect(started).rejects.toMatchObject({ code: 'HAKO_ERR_EXEC_FAILED' });
});

test.each([
  ['before it has started', () => {}],
  ['while it runs', (peer: Peer) => void peer.started()],
  ['in the middle of a frame', (peer: Peer) => void peer.socket.write(Buffer.from([28, 0, 0]))],
])('a supervisor that is lost %s is an error with that code', async (_, before) => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  const state = session.state();
  before(peer);
  peer.socket.end();
  await expect(state).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST', kind: 'unavailable' });
  await expect(session.exited).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
  await expect(session.state()).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
  await session.closed;
});

test('what is no frame ends the session with a protocol error', async () => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  peer.socket.write(Buffer.from([0, 0, 0, 0, 99]));
  await expect(session.exited).rejects.toMatchObject({ code: 'HAKO_ERR_PROTOCOL_ERROR' });
  await session.closed;
});

test('output flows no faster than it is read, and none is lost', async () => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  peer.started();
  const piece = Buffer.alloc(MAX_FRAME - 1, 'x');
  const pieces = 400;
  let sent = 0;
  const sending = (async () => {
    for (; sent < pieces; sent++)
      if (!peer.output(1, piece)) await new Promise((resolve) => peer.socket.once('drain', resolve));
  })();
  await delay(100);
  // Nobody reads: what has left is what the buffers of the stream and of two sockets hold.
  expect(sent).toBeLessThan(60);
  const read = buffer(session.stdout);
  await sending;
  peer.exited(0);
  expect((await read).length).toBe(piece.length * pieces);
  expect((await session.exited).exitCode).toBe(0);
});

test('a reader that goes away does not hold up the rest', async () => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  peer.started();
  for (let i = 0; i < 20; i++) peer.output(1, Buffer.alloc(60_000));
  await delay(20);
  session.stdout.destroy();
  peer.output(2, Buffer.from('err'));
  peer.exited(0);
  expect((await buffer(session.stderr)).toString()).toBe('err');
  expect((await session.exited).exitCode).toBe(0);
});

test('stdin goes out in frames of at most 64 KiB, then its end', async () => {
  const { session, peer } = await connect();
  const data = Buffer.from(Array.from({ length: 150_000 }, (_, index) => index % 251));
  session.stdin.end(data);
  await vi.waitFor(() => expect(peer.frames.at(-1)?.[0]).toBe(FrameType.STDIN_EOF));
  const frames = peer.frames.filter(([type]) => type === FrameType.STDIN).map(([, payload]) => payload);
  expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThanOrEqual(MAX_FRAME);
  expect(Buffer.concat(frames).equals(data)).toBe(true);
});

test('stdin waits for a peer that does not read', async () => {
  const { session, peer } = await connect();
  peer.socket.pause();
  let accepted = 0;
  const write = () => session.stdin.write(Buffer.alloc(60_000), () => accepted++);
  for (let i = 0; i < 100; i++) write();
  await delay(50);
  expect(accepted).toBeLessThan(60);
  peer.socket.resume();
  await vi.waitFor(() => expect(accepted).toBe(100));
});

test('writing to a program that has gone ends nothing but the writing', async () => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  peer.started();
  peer.socket.destroy();
  for (let i = 0; i < 20; i++) {
    session.stdin.write(Buffer.alloc(60_000));
    await delay(1);
  }
  await expect(session.exited).rejects.toMatchObject({ code: 'HAKO_ERR_SUPERVISOR_LOST' });
});

test('a signal is confirmed; one that is refused is an error and the session goes on', async () => {
  const { session, peer } = await connect();
  session.exec(exec).catch(() => {});
  peer.started();
  const [refused, state, sent] = [session.signal(9), session.state(), session.signal(15)];
  await vi.waitFor(() =>
    expect(peer.frames.map(([type]) => type)).toEqual([
      FrameType.EXEC,
      FrameType.SIGNAL,
      FrameType.STATE,
      FrameType.STATE,
      FrameType.SIGNAL,
      FrameType.STATE,
    ]),
  );
  peer.failed('signal', constants.errno.EPERM);
  peer.stateReply();
  peer.stateReply();
  await expect(refused).rejects.toMatchObject({ operation: 'signal', errno: 'EPERM' });
  expect((await state).type).toBe('state-reply');
  // The last one is not answered: the program ends first.
  peer.exited(143);
  await sent;
  expect((await session.exited).exitCode).toBe(143);
  peer.socket.end();
  await session.closed;
  await session.signal(15);
});

test('a rotated log is announced', async () => {
  const { session, peer } = await connect();
  const rotated = vi.fn();
  session.onLogRotated = rotated;
  peer.send(FrameType.LOG_ROTATED);
  await vi.waitFor(() => expect(rotated).toHaveBeenCalledTimes(1));
});
