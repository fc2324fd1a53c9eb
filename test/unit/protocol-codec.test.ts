import { expect, test } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import {
  type ExecRequest,
  encodeExec,
  encodeFrame,
  encodeStart,
  type Frame,
  FrameDecoder,
  FrameType,
  MAX_FRAME,
  MS_PRIVATE,
  MS_REC,
  type ProcessRequest,
  type StartRequest,
} from '../../src/native/protocol.ts';

const process: ProcessRequest = {
  argv: ['/bin/é'],
  env: ['A=b', 'EMPTY='],
  cwd: '/',
  user: '',
  additionalGroups: ['wheel'],
  tty: true,
  noNewPrivileges: true,
  init: false,
  createCwd: true,
  capabilities: { bounding: 0x1ffffffffffn, effective: 1n, permitted: 2n, inheritable: 3n, ambient: 4n },
  umask: 0o22,
  rlimits: [{ resource: 7, soft: 1024n, hard: 0xffff_ffff_ffff_ffffn }],
  oomScoreAdj: null,
  seccomp: { program: Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f), flags: 2 },
  idEmulation: Uint8Array.of(6, 0, 0, 0, 0, 0, 0xc0, 0x7f),
  apparmorProfile: '',
  terminalSize: { rows: 24, columns: 80 },
};

const start: StartRequest = {
  wait: false,
  detached: true,
  durable: false,
  stdin: true,
  stdinOnce: true,
  attach: { stdin: false, stdout: true, stderr: true },
  title: 'hako',
  unshare: 0x20000,
  join: [{ kind: 0x40000000, index: 1 }],
  idMap: {
    method: 'helpers',
    uidMap: '0 1000 1\n',
    gidMap: '0 1000 1\n',
    denySetgroups: true,
    newuidmap: '/usr/bin/newuidmap',
    newgidmap: '/usr/bin/newgidmap',
  },
  cgroup: [
    { kind: 'mkdir', path: '/c' },
    { kind: 'write', path: '/c/f', value: '1' },
    { kind: 'join', directory: '/c' },
    { kind: 'into', directory: '/c' },
    { kind: 'devices', directory: '/c', program: new Uint8Array(8) },
  ],
  oom: { file: '/c/events', key: 'oom_kill' },
  hostname: 'h',
  domainname: '',
  setup: [
    { kind: 'propagation', propagation: MS_REC | MS_PRIVATE },
    {
      kind: 'mount',
      type: 'tmpfs',
      source: 'tmpfs',
      path: 'dev',
      attributes: 2n,
      options: [
        ['size', '64k'],
        ['nr', ''],
      ],
      target: { create: 'directory', noFollow: true },
    },
    {
      kind: 'bind',
      hostPath: '/h',
      path: 'c',
      set: 1n,
      clear: 2n,
      propagation: MS_PRIVATE,
      target: { create: 'file', noFollow: false },
      recursive: true,
      optional: true,
      device: true,
      opened: 'idmapped',
    },
    { kind: 'layers', hostPath: '/layers' },
    { kind: 'mkdir', path: 'd', mode: 0o755 },
    { kind: 'symlink', target: 't', path: 'l' },
    { kind: 'mknod', path: 'dev/null', mode: 0o20666, major: 1, minor: 3, uid: 0, gid: 5 },
    { kind: 'pivot' },
    { kind: 'mask', path: 'proc/kcore' },
    { kind: 'readonly', path: 'proc/sys' },
    { kind: 'sysctl', name: 'net.ipv4.ip_forward', value: '1' },
    { kind: 'console' },
    { kind: 'loopback' },
    { kind: 'root-attributes', path: 'home', attributes: 1n },
  ],
  process,
  sink: {
    kind: 'json-file',
    file: 'c-json.log',
    maxSize: 10_000_000,
    maxFiles: 3,
    compress: true,
    attributes: '{"a":"b"}',
  },
};

/** Reads fields as protocol.h words them, independently of the writer. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  next(kind: string): unknown {
    const at = this.#at;
    if (kind === 'str' || kind === 'bytes') {
      const length = this.#bytes.readUInt32LE(at);
      this.#at += 4 + length;
      const bytes = this.#bytes.subarray(at + 4, this.#at);
      return kind === 'str' ? bytes.toString() : [...bytes];
    }
    const [size, value] = {
      u8: () => [1, this.#bytes.readUInt8(at)],
      u16: () => [2, this.#bytes.readUInt16LE(at)],
      u32: () => [4, this.#bytes.readUInt32LE(at)],
      i32: () => [4, this.#bytes.readInt32LE(at)],
      u64: () => [8, this.#bytes.readBigUInt64LE(at)],
    }[kind as 'u8']() as [number, unknown];
    this.#at += size;
    return value;
  }
  all(kinds: string): unknown[] {
    return kinds.split(' ').map((kind) => this.next(kind));
  }
  get left(): number {
    return this.#bytes.length - this.#at;
  }
}

function processFields(fields: Fields): void {
  expect(fields.all('u32 str u32 str str str str u32 str u32')).toEqual([
    1,
    '/bin/é',
    2,
    'A=b',
    'EMPTY=',
    '/',
    '',
    1,
    'wheel',
    0x1 | 0x2 | 0x8,
  ]);
  expect(fields.all('u64 u64 u64 u64 u64 u32')).toEqual([0x1ffffffffffn, 1n, 2n, 3n, 4n, 0o22]);
  expect(fields.all('u32 u32 u64 u64 i32')).toEqual([1, 7, 1024n, 0xffff_ffff_ffff_ffffn, -(2 ** 31)]);
  expect(fields.all('bytes u32 bytes str u16 u16')).toEqual([
    [6, 0, 0, 0, 0, 0, 255, 127],
    2,
    [6, 0, 0, 0, 0, 0, 192, 127],
    '',
    24,
    80,
  ]);
}

test('START has every field of protocol.h in its order', () => {
  const frame = encodeStart(start);
  const fields = new Fields(frame);
  expect(fields.all('u32 u8')).toEqual([frame.length - 5, FrameType.START]);
  expect(fields.all('u32 u32 u32 str u32')).toEqual([1, 0x1 | 0x4 | 0x8, 0x2 | 0x4, 'hako', 0x20000]);
  expect(fields.all('u32 u32 u32')).toEqual([1, 0x40000000, 1]);
  expect(fields.all('u8 str str u8 str str')).toEqual([
    2,
    '0 1000 1\n',
    '0 1000 1\n',
    1,
    '/usr/bin/newuidmap',
    '/usr/bin/newgidmap',
  ]);
  expect(fields.all('u32 u8 str u8 str bytes u8 str u8 str u8 str bytes')).toEqual([
    5,
    1,
    '/c',
    2,
    '/c/f',
    [0x31],
    3,
    '/c',
    4,
    '/c',
    5,
    '/c',
    Array(8).fill(0),
  ]);
  expect(fields.all('str str str str')).toEqual(['/c/events', 'oom_kill', 'h', '']);
  expect(fields.next('u32')).toBe(14);
  expect(fields.all('u8 u64')).toEqual([1, 0x44000n]);
  expect(fields.all('u8 str str str u64 u32 str str str str u32')).toEqual([
    2,
    'tmpfs',
    'tmpfs',
    'dev',
    2n,
    2,
    'size',
    '64k',
    'nr',
    '',
    0x2 | 0x4,
  ]);
  expect(fields.all('u8 str str u64 u64 u64 u32')).toEqual([
    3,
    '/h',
    'c',
    1n,
    2n,
    0x40000n,
    0x1 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100,
  ]);
  expect(fields.all('u8 str')).toEqual([14, '/layers']);
  expect(fields.all('u8 str u32 u8 str str')).toEqual([4, 'd', 0o755, 5, 't', 'l']);
  expect(fields.all('u8 str u32 u32 u32 u32 u32')).toEqual([6, 'dev/null', 0o20666, 1, 3, 0, 5]);
  expect(fields.all('u8 u8 str u8 str u8 str str u8 u8 u8 str u64')).toEqual([
    7,
    8,
    'proc/kcore',
    9,
    'proc/sys',
    10,
    'net.ipv4.ip_forward',
    '1',
    11,
    12,
    13,
    'home',
    1n,
  ]);
  processFields(fields);
  expect(fields.all('u8 str u64 u32 u8 bytes')).toEqual([
    1,
    'c-json.log',
    10_000_000n,
    3,
    1,
    [...Buffer.from('{"a":"b"}')],
  ]);
  expect(fields.left).toBe(0);
});

test('EXEC has every field of protocol.h in its order', () => {
  const request: ExecRequest = {
    id: 'ab',
    detached: true,
    stdin: true,
    attach: { stdin: true, stdout: false, stderr: false },
    cgroups: ['/c'],
    process,
  };
  const fields = new Fields(encodeExec(request));
  expect(fields.all('u32 u8 str u32 u32 u32 str')).toEqual([
    ...[expect.any(Number), FrameType.EXEC, 'ab', 0x1 | 0x4, 0x1, 1, '/c'],
  ]);
  processFields(fields);
  expect(fields.left).toBe(0);
});

test('the frames of a session are what protocol.h says', () => {
  expect([...encodeFrame({ type: 'attach', stdin: true, stdout: true, stderr: false })]).toEqual([
    8, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0,
  ]);
  expect([...encodeFrame({ type: 'attach', stdin: false, stdout: true, stderr: false, exec: 'a' })]).toEqual([
    9, 0, 0, 0, 3, 2, 0, 0, 0, 1, 0, 0, 0, 97,
  ]);
  expect([...encodeFrame({ type: 'state' })]).toEqual([0, 0, 0, 0, 4]);
  expect([...encodeFrame({ type: 'signal', signal: 15 })]).toEqual([4, 0, 0, 0, 5, 15, 0, 0, 0]);
  expect([...encodeFrame({ type: 'stdin', data: Uint8Array.of(1, 2) })]).toEqual([2, 0, 0, 0, 6, 1, 2]);
  expect([...encodeFrame({ type: 'stdin-eof' })]).toEqual([0, 0, 0, 0, 7]);
  expect([...encodeFrame({ type: 'resize', rows: 24, columns: 300 })]).toEqual([4, 0, 0, 0, 8, 24, 0, 44, 1]);
  expect([...encodeFrame({ type: 'hold', hold: true })]).toEqual([1, 0, 0, 0, 9, 1]);
});

test.each<[string, () => unknown]>([
  ['a NUL in an argument', () => encodeStart({ ...start, process: { ...process, argv: ['a\0b'] } })],
  ['a NUL in a variable', () => encodeStart({ ...start, process: { ...process, env: ['A=\0'] } })],
  ['a NUL in a mount', () => encodeStart({ ...start, setup: [{ kind: 'mask', path: 'a\0' }] })],
  ['a number that is too large', () => encodeFrame({ type: 'resize', rows: 65536, columns: 80 })],
  ['a number that is not one', () => encodeFrame({ type: 'signal', signal: Number.NaN })],
  [
    'a negative 64-bit number',
    () => encodeStart({ ...start, setup: [{ kind: 'root-attributes', path: '', attributes: -1n }] }),
  ],
  [
    'a request over its limit',
    () =>
      encodeExec({
        id: '',
        detached: false,
        stdin: false,
        attach: start.attach,
        cgroups: [],
        process: { ...process, argv: ['x'.repeat(9 << 20)] },
      }),
  ],
  ['too much data in one frame', () => encodeFrame({ type: 'stdin', data: new Uint8Array(MAX_FRAME + 1) })],
])('%s is refused as an invalid option', (_, encode) => {
  expect(encode).toThrowError(expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }));
});

function frame(type: number, payload: number[]): Buffer {
  const bytes = Buffer.alloc(5 + payload.length);
  bytes.writeUInt32LE(payload.length);
  bytes[4] = type;
  bytes.set(payload, 5);
  return bytes;
}

const conversation = Buffer.concat([
  frame(
    FrameType.STARTED,
    [42, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0, 0x64, 0, 0, 0, 1],
  ),
  frame(FrameType.OUTPUT, [1, 104, 105]),
  frame(FrameType.OUTPUT, [2, ...Buffer.alloc(1000, 7)]),
  frame(FrameType.LOG_ROTATED, []),
  frame(FrameType.PREPARED, []),
  frame(
    FrameType.STATE_REPLY,
    [
      1, 42, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0,
      0, 0, 0,
    ],
  ),
  frame(FrameType.FAILED, [4, 0, 0, 0, 101, 120, 101, 99, 2, 0, 0, 0, 1, 0, 0, 0, 120]),
  frame(FrameType.EXITED, [137, 0, 0, 0, 9, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 1]),
]);

const expected: Frame[] = [
  { type: 'started', pid: 42, startTime: 1n, startedAt: 2n, uid: 1000, gid: 100, tty: true },
  { type: 'output', stream: 'stdout', data: Buffer.from('hi') },
  { type: 'output', stream: 'stderr', data: Buffer.alloc(1000, 7) },
  { type: 'log-rotated' },
  { type: 'prepared' },
  {
    type: 'state-reply',
    running: true,
    pid: 42,
    startTime: 1n,
    startedAt: 2n,
    liveExecs: 3,
    logRecordsWritten: 4n,
    logRecordsLost: 5n,
  },
  { type: 'failed', operation: 'exec', errno: 2, detail: 'x' },
  { type: 'exited', exitCode: 137, signal: 9, oomKilled: true, finishedAt: 6n, cleared: true },
];

test('frames come out the same wherever the stream is cut', () => {
  for (const size of [1, 2, 3, 4, 5, 7, 64, 500, 1010, conversation.length]) {
    const decoder = new FrameDecoder();
    const frames: Frame[] = [];
    for (let at = 0; at < conversation.length; at += size)
      frames.push(...decoder.push(conversation.subarray(at, at + size)));
    expect(frames).toEqual(expected);
    expect(decoder.atBoundary).toBe(true);
  }
});

test('a stream cut in a frame does not count as ended', () => {
  const decoder = new FrameDecoder();
  expect(decoder.push(conversation.subarray(0, 10))).toEqual([]);
  expect(decoder.atBoundary).toBe(false);
});

test.each([
  ['an unknown type', frame(99, [])],
  ['a length over the limit', Buffer.from([1, 0, 1, 0, FrameType.OUTPUT])],
  ['a field cut short', frame(FrameType.EXITED, [1, 0, 0, 0])],
  ['a string longer than its frame', frame(FrameType.FAILED, [200, 0, 0, 0, 1])],
  ['bytes left over', frame(FrameType.LOG_ROTATED, [1])],
  ['an unknown stream', frame(FrameType.OUTPUT, [3])],
  ['an empty output frame', frame(FrameType.OUTPUT, [])],
])('%s is a protocol error', (_, bytes) => {
  let error: unknown;
  try {
    new FrameDecoder().push(bytes);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(HakoError);
  expect(error).toMatchObject({ code: 'HAKO_ERR_PROTOCOL_ERROR' });
});
