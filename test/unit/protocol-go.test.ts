import { expect, test } from 'vitest';
import { encodeGo, encodeStart, FrameType, MAX_REQUEST } from '../../src/native/protocol.ts';
import { processRequest, startRequest } from '../native/support/supervisor-process.ts';

const u32 = (value: number) => Buffer.from(new Uint32Array([value]).buffer);
const str = (text: string) => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);

test('GO has every field of protocol.h in its order', () => {
  for (const stdin of [false, true]) {
    const payload = [u32(stdin ? 1 : 0), ...[u32(2), str('/bin/é'), str('')], ...[u32(1), str('A=b')], str('/w')];
    const expected = [u32(Buffer.concat(payload).length), Buffer.of(FrameType.GO), ...payload];
    expect(encodeGo({ argv: ['/bin/é', ''], env: ['A=b'], cwd: '/w', stdin })).toEqual(Buffer.concat(expected));
  }
});

test('START of a container that waits has its flag, and leaves out what GO brings', () => {
  const whole = startRequest({ process: processRequest(['true'], { env: ['A=b'], cwd: '/w' }), stdin: true });
  const waiting = encodeStart({ ...whole, wait: true });
  const without = encodeStart({ ...whole, process: { ...whole.process, argv: [], env: [], cwd: '' } });
  without.writeUInt32LE(0x4 | 0x10, 5 + 4);
  expect(waiting).toEqual(without);
});

test.each([
  ['a NUL in an argument', { argv: ['a\0b'], env: [], cwd: '/' }],
  ['a NUL in a variable', { argv: ['a'], env: ['A=\0'], cwd: '/' }],
  ['more than a request may hold', { argv: ['x'.repeat(MAX_REQUEST)], env: [], cwd: '/' }],
])('%s is refused as an invalid option', (_, program) => {
  expect(() => encodeGo({ ...program, stdin: false })).toThrowError(
    expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
  );
});
