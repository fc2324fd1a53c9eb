import fc from 'fast-check';
import { HakoError } from 'libhako';
import { describe, expect, it } from 'vitest';
import { parseWords } from '../../src/cli/options.ts';
import { containerOptions } from '../../src/cli/settings/index.ts';

const table = {
  all: { type: 'flag', short: 'a', help: '' },
  tty: { type: 'flag', short: 't', help: '' },
  name: { type: 'text', short: 'n', value: 'NAME', aliases: ['call'], help: '' },
  count: { type: 'number', short: 'c', value: 'COUNT', help: '' },
  env: { type: 'list', short: 'e', value: 'PAIR', help: '' },
} as const;

const parse = (words: readonly string[], leading = false) => parseWords(table, words, { leading, command: 'hako x' });

describe('words of a command line', () => {
  it.each<[readonly string[], object]>([
    [['-at'], { all: true, tty: true }],
    [['--all=false'], { all: false }],
    [['-nweb', '--count=3'], { name: 'web', count: 3 }],
    [['-n', 'a', '--call', 'b'], { name: 'b' }],
    [['--count', '-1'], { count: -1 }],
    [['-e', '-x', '--env=A=b', '-eC'], { env: ['-x', 'A=b', 'C'] }],
    [['-tn', 'x'], { tty: true, name: 'x' }],
    [[], { env: [] }],
  ])('%j', (words, values) => {
    expect(parse(words).values).toEqual({ env: [], ...values });
    expect(parse(words).operands).toEqual([]);
  });

  it('leave a program what is its own', () => {
    expect(parse(['-a', 'img', '-t', '--', 'x'], true)).toMatchObject({
      values: { all: true },
      operands: ['img', '-t', '--', 'x'],
    });
    expect(parse(['-a', '--', '-img', '-t'], true)).toMatchObject({ values: { all: true }, operands: ['-img', '-t'] });
    expect(parse(['one', '-a', 'two'])).toMatchObject({ values: { all: true }, operands: ['one', 'two'] });
    expect(parse(['--', '-a'])).toMatchObject({ operands: ['-a'] });
  });

  it.each<[readonly string[], RegExp]>([
    [['--frob'], /^There is no option '--frob'; hako x --help/],
    [['-z'], /^There is no option '-z'/],
    [['--name'], /^--name needs a value\.$/],
    [['-c', 'x'], /^-c takes a number; 'x' is none\.$/],
    [['--all=perhaps'], /^--all is on or off/],
  ])('%j is refused', (words, sentence) => {
    expect(() => parse(words)).toThrow(sentence);
  });

  it('are parsed or refused, whatever they are', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('-', '--', '-it', '--no-such', '-v', '-e', '--memory', '--__proto__', '--constructor'),
      fc.constantFrom(...Object.keys(containerOptions)).map((name) => `--${name}`),
    );
    fc.assert(
      fc.property(fc.array(word), fc.boolean(), (words, leading) => {
        try {
          const { operands } = parseWords(containerOptions, words, { leading, command: 'hako run' });
          expect(operands.every((each) => typeof each === 'string')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(HakoError);
        }
      }),
    );
  });
});
