import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const pieceLimit = 16_384;
let directory: string;
let program: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-json-line-'));
  program = join(directory, 'check');
  const sources = ['test/native/json-line-check.c', 'native/supervisor/json_line.c', 'native/supervisor/lines.c'];
  const flags = [
    '-std=gnu11',
    '-D_GNU_SOURCE',
    '-O1',
    '-g',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
  ];
  execFileSync(process.env['CC'] ?? 'cc', [...flags, '-Inative/supervisor', '-o', program, ...sources], {
    stdio: 'inherit',
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function call(mode: 'escape' | 'lines', inputs: readonly Uint8Array[]): Buffer[] {
  const framed = inputs.flatMap((input) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(input.length);
    return [length, Buffer.from(input)];
  });
  const result = spawnSync(program, [mode], { input: Buffer.concat(framed), maxBuffer: 1 << 28 });
  expect(result.stderr.toString()).toBe('');
  expect(result.status).toBe(0);
  const outputs: Buffer[] = [];
  for (let at = 0; at < result.stdout.length; ) {
    const length = result.stdout.readUInt32LE(at);
    outputs.push(result.stdout.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return outputs;
}

/** The length of the valid UTF-8 sequence at `at`, by a decoder that is not ours; 0 when there is none. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      // one more byte may complete it
    }
  }
  return 0;
}

/** What Docker writes for these bytes: see json_line.h. */
function expected(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceAt(bytes, at);
    const character =
      length === 0 ? '\\ufffd' : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + length));
    if (character === '"' || character === '\\') text += `\\${character}`;
    else if (character === '\n') text += '\\n';
    else if (character === '\r') text += '\\r';
    else if (/^[\u0000-\u001f<>&\u2028\u2029]$/.test(character))
      text += `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    else text += character;
    at += Math.max(length, 1);
  }
  return text;
}

const interesting = fc.constantFrom(
  0,
  9,
  10,
  13,
  0x1f,
  0x20,
  0x22,
  0x26,
  0x3c,
  0x3e,
  0x5c,
  0x7f,
  0x80,
  0xa8,
  0xa9,
  0xbf,
  0xc0,
  0xc2,
  0xe0,
  0xe2,
  0xed,
  0xef,
  0xf0,
  0xf4,
  0xf5,
  0xff,
);
const nasty = fc
  .array(fc.oneof(interesting, fc.integer({ min: 0, max: 255 })), { maxLength: 60 })
  .map((bytes) => Buffer.from(bytes));
const text = fc.string({ unit: 'binary', maxLength: 60 }).map((one) => Buffer.from(one));

describe('json_escape', () => {
  test('every single byte and every pair', () => {
    const singles = Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]));
    const pairs = Array.from({ length: 65_536 }, (_, pair) => Buffer.from([pair >> 8, pair & 255]));
    const inputs = [...singles, ...pairs];
    expect(call('escape', inputs).map((one) => one.toString())).toEqual(inputs.map(expected));
  });

  test('each special byte at each place of a word', () => {
    const inputs = [...'"\\<>&\n\r\t\u0000\u007fé€\u2028😀'].flatMap((character) =>
      Array.from({ length: 24 }, (_, place) =>
        Buffer.from(`${'a'.repeat(place)}${character}${'b'.repeat(24 - place)}`),
      ),
    );
    expect(call('escape', inputs).map((one) => one.toString())).toEqual(inputs.map(expected));
  });

  test('any bytes: as Docker writes them, and readable as JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(nasty, text), { minLength: 50, maxLength: 200 }), (inputs) => {
        const outputs = call('escape', inputs).map((one) => one.toString());
        expect(outputs).toEqual(inputs.map(expected));
        for (const [i, output] of outputs.entries()) {
          const parsed = JSON.parse(`"${output}"`) as string;
          if (inputs[i]?.equals(Buffer.from(inputs[i].toString()))) expect(parsed).toBe(inputs[i].toString());
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('lines', () => {
  const parse = (records: Buffer[]) =>
    records.map((record) => ({ complete: record[0] === 1, text: record.subarray(1) }));
  const units = fc.constantFrom(
    'a'.repeat(5_000),
    'é'.repeat(4_000),
    '€'.repeat(6_001),
    '😀'.repeat(5_001),
    'short',
    '\n',
    'x',
    '\xff'.repeat(9_000),
  );
  const stream = fc
    .array(units, { maxLength: 24 })
    .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part, part.startsWith('\xff') ? 'latin1' : 'utf8'))));

  test('nothing is lost, pieces keep their limit and whole code points, however the stream is chunked', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 8 }),
        (bytes, sizes) => {
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          const records = parse(call('lines', chunks));
          expect(
            Buffer.concat(
              records.flatMap(({ complete, text: piece }) => (complete ? [piece, Buffer.from('\n')] : [piece])),
            ).equals(bytes),
          ).toBe(true);
          expect(parse(call('lines', bytes.length === 0 ? [] : [bytes]))).toEqual(records);
          const valid = bytes.equals(Buffer.from(bytes.toString()));
          for (const { text: piece } of records) {
            expect(piece.length).toBeLessThanOrEqual(pieceLimit);
            if (valid) expect(piece.equals(Buffer.from(piece.toString()))).toBe(true);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a line of exactly the limit ends with an empty record, as Docker’s does', () => {
    const records = parse(call('lines', [Buffer.from(`${'x'.repeat(pieceLimit)}\nnext\n`)]));
    expect(records.map(({ complete, text: piece }) => [complete, piece.length])).toEqual([
      [false, pieceLimit],
      [true, 0],
      [true, 4],
    ]);
  });
});
