import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RandomAccess } from '../../plugins/log/json-file/file-blocks.ts';
import { RecordDecoder } from '../../plugins/log/json-file/record-decoder.ts';
import { maxRecordLength, RecordStream } from '../../plugins/log/json-file/record-stream.ts';
import { reverseLines } from '../../plugins/log/json-file/reverse-lines.ts';
import type { LogEntry } from '../../src/contracts/log-driver.ts';
import { recordLine, textOf } from '../support/json-file-log.ts';

const decode = (text: string | Buffer): LogEntry | null => {
  const bytes = Buffer.from(text);
  return new RecordDecoder().decode(bytes, 0, bytes.length);
};
const time = '"time":"2016-01-02T15:04:05.5Z"';

describe('RecordDecoder', () => {
  it('takes a record apart', () => {
    expect(decode(`{"log":"hello\\n","stream":"stderr","attrs":{"a":"b"},${time}}`)).toEqual({
      stream: 'stderr',
      time: 1451747045500000000n,
      line: Buffer.from('hello'),
      partial: false,
      attributes: { a: 'b' },
    });
  });

  it.each([
    ['', '', true],
    ['\\n', '', false],
    ['a', 'a', true],
    ['a\\r\\n', 'a\r', false],
    ['a\\\\n', 'a\\n', true],
    ['a\\\\\\n', 'a\\', false],
    ['\\"q\\" \\u003c\\u0026\\u001b[0m\\t\\/\\b\\f\\n', '"q" <&\u001b[0m\t/\b\f', false],
    ['gr\\u00f6\\u00DFe \\ud83d\\ude00 \\ufffd\\n', 'größe 😀 \ufffd', false],
    ['größe 😀\\n', 'größe 😀', false],
    ['\\ud83d \\ude00\\n', '\ufffd \ufffd', false],
    ['\\ud83d\\ud83d\\ude00', '\ufffd😀', true],
    ['a\\u000a', 'a', false],
  ])('decodes the log value "%s"', (escaped, text, partial) => {
    const entry = decode(`{"log":"${escaped}","stream":"stdout",${time}}`);
    expect(entry === null ? null : { text: textOf(entry), partial: entry.partial }).toEqual({ text, partial });
  });

  it.each([
    ['an empty log left out', `{"stream":"stdout",${time}}`, ''],
    ['other white space and order', `{ "stream": "stdout", ${time}, "log": "a b\\n" }`, 'a b'],
    ['keys of another version', `{"log":"x\\n","stream":"stdout","extra":[1],${time}}`, 'x'],
    ['a zone', '{"log":"x\\n","stream":"stdout","time":"2016-01-02T17:04:05.5+02:00"}', 'x'],
    ['NUL bytes before it', `${'\0'.repeat(5000)}{"log":"x\\n","stream":"stdout",${time}}`, 'x'],
    ['half a record before it', `{"log":"lost te{"log":"x\\n","stream":"stdout",${time}}`, 'x'],
    ['noise before it', `\u0001\u0002 noise {"log":"x\\n","stream":"stdout",${time}}`, 'x'],
  ])('takes %s', (_name, line, text) => {
    const entry = decode(line);
    expect(entry).not.toBeNull();
    expect(entry && textOf(entry)).toBe(text);
    expect(entry?.time).toBe(1451747045500000000n);
  });

  it.each(
    [
      ['', '{', 'null', '[]', '"x"', '{"log":"x', `{"log":"x","stream":"stdin",${time}}`],
      [
        '{"log":"x","stream":"stdout"}',
        '{"log":"x","stream":"stdout","time":"yesterday"}',
        '{"log":"x","stream":"stdout","time":"2016-13-02T15:04:05Z"}',
      ],
      [
        `{"log":1,"stream":"stdout",${time}}`,
        `{"log":"\\x","stream":"stdout",${time}}`,
        `{"log":"\\u12","stream":"stdout",${time}}`,
        `{"log":"a\u0001b","stream":"stdout",${time}}`,
      ],
      [
        `{"log":"x","stream":"stdout","attrs":{"a":1},${time}}`,
        `{"log":"x","stream":"stdout","attrs":{"a":"b",${time}}`,
        '\0\0\0\0',
        '{"log":"x","stream":"stdout","time":"2016-01-02T15:04:05.Z"}',
      ],
    ].flat(),
  )('knows that %j is no record', (line) => {
    expect(decode(line)).toBeNull();
  });

  it('gives what JSON.parse gives, whatever the text', () => {
    const record = fc.record({
      log: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', 'u', '\u2028', '😀', '\ud83d', 'é', '\0') }),
      ),
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      time: fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }),
      attrs: fc.option(
        // zod leaves this one key out, and so it should.
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          fc.string(),
        ),
        { nil: undefined },
      ),
    });
    const decoder = new RecordDecoder();
    fc.assert(
      fc.property(record, ({ attrs, ...rest }) => {
        const bytes = Buffer.from(recordLine(attrs === undefined ? rest : { ...rest, attrs }).trimEnd());
        const entry = decoder.decode(bytes, 0, bytes.length);
        const whole = rest.log.endsWith('\n');
        expect(entry).toEqual({
          stream: rest.stream,
          time: rest.time,
          line: Buffer.from((whole ? rest.log.slice(0, -1) : rest.log).toWellFormed()),
          partial: !whole,
          ...(attrs === undefined || Object.keys(attrs).length === 0 ? {} : { attributes: attrs }),
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('neither throws nor invents on damaged records', () => {
    const good = Buffer.from(
      recordLine({ log: 'text "quoted" \n', attrs: { a: 'b' }, time: 1_451_747_045_000_000_000n }).trimEnd(),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.nat(good.length),
        (changes, length) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          const entry = new RecordDecoder().decode(bytes, 0, length);
          if (entry !== null) expect(entry.stream).toMatch(/^std(out|err)$/);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

/** The reader's blocks may end anywhere. */
const inBlocks = (bytes: Buffer, cuts: readonly number[]): LogEntry[] => {
  const stream = new RecordStream();
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let start = 0;
  const entries = ends.flatMap((end) => {
    const block = bytes.subarray(start, end);
    start = end;
    return [...stream.push(block)];
  });
  return [...entries, ...stream.end()];
};
const backwards = async (bytes: Buffer): Promise<string[]> => {
  const file: RandomAccess = {
    read: async (buffer, offset, length, position) => ({
      bytesRead: bytes.copy(buffer, offset, position, position + length),
    }),
  };
  const lines: string[] = [];
  for await (const line of reverseLines(file, bytes.length)) {
    expect(bytes.subarray(line.offset, line.offset + line.bytes.length).equals(line.bytes)).toBe(true);
    lines.unshift(line.bytes.toString('latin1'));
  }
  return lines;
};

describe('RecordStream', () => {
  it('finds the same records however the file comes in', () => {
    const text = ['a\n', 'b', 'c\n', '\n', 'größe\n'].map((log) => recordLine({ log })).join('');
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
        expect(inBlocks(bytes, cuts).map((entry) => [textOf(entry), entry.partial])).toEqual([
          ['a', false],
          ['b', true],
          ['c', false],
          ['', false],
          ['größe', false],
        ]);
      }),
    );
  });

  it('passes over what is no record, and goes on after it', () => {
    const damaged = Buffer.concat([
      Buffer.from(recordLine({ log: '1\n' })),
      Buffer.alloc(100_000),
      Buffer.from(recordLine({ log: '2\n' })),
      Buffer.from('\n\nnoise\n{"log":"half'),
      Buffer.from(recordLine({ log: '3\n' })),
      Buffer.from('{"log":"lost\\n","stream":"stdout"\n'),
      Buffer.from(recordLine({ log: '4\n' }).slice(0, -1)),
    ]);
    for (const cuts of [[], [1, 2, 3], [90, 50_000, 100_100], Array.from({ length: 500 }, (_, i) => i * 211)]) {
      expect(inBlocks(damaged, cuts).map(textOf)).toEqual(['1', '2', '3', '4']);
    }
  });

  it('keeps no line longer than any record can be', () => {
    const stream = new RecordStream();
    const noise = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 2 * (maxRecordLength / noise.length); i++) stream.push(noise);
    expect(stream.push(Buffer.from('tail of it\n'))).toEqual([]);
    expect(stream.push(Buffer.from(recordLine({ log: 'after\n' }))).map(textOf)).toEqual(['after']);
  });

  it('passes over a hole of any size', () => {
    const stream = new RecordStream();
    const hole = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 40; i++) stream.push(hole);
    expect(stream.push(Buffer.from(recordLine({ log: 'after\n' }))).map(textOf)).toEqual(['after']);
  });
});

describe('reverseLines', () => {
  it('gives the lines of a file from its end, whatever their length', async () => {
    for (const lengths of [
      [],
      [0],
      [1],
      [5, 0, 7],
      [65_536],
      [65_535, 1],
      [200_000, 3, 70_000],
      [1, 65_534, 0, 0, 131_072],
    ]) {
      const lines = lengths.map((length, index) => String.fromCharCode(97 + index).repeat(length));
      const filled = lines.filter((line) => line !== '');
      expect(await backwards(Buffer.from(lines.map((line) => `${line}\n`).join('')))).toEqual(filled);
      expect(await backwards(Buffer.from(lines.join('\n')))).toEqual(filled);
    }
  });

  it('passes over a line that is longer than any record', async () => {
    const bytes = Buffer.concat([
      Buffer.from('first\n'),
      Buffer.alloc(maxRecordLength + 200_000, 'x'),
      Buffer.from('\nlast\n'),
    ]);
    expect(await backwards(bytes)).toEqual(['first', 'last']);
  });
});
