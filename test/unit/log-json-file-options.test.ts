import { describe, expect, it } from 'vitest';
import { jsonFile } from '../../plugins/log/json-file/index.ts';
import { normalize } from '../../plugins/log/json-file/options.ts';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';

const settings = (options: unknown) => normalize(parsePluginOptions(jsonFile, options));

describe("json-file's options", () => {
  it("has Docker's defaults", () => {
    expect(settings({})).toEqual({
      maxSize: null,
      maxFiles: 1,
      compress: false,
      labels: [],
      labelsRegex: undefined,
      env: [],
      envRegex: undefined,
      tag: null,
    });
  });

  it("takes Docker's form, where all is text", () => {
    const options = {
      'max-size': '10k',
      'max-file': '3',
      compress: 'true',
      labels: 'app,env',
      'labels-regex': '^com\\.',
      env: 'A,B',
      'env-regex': '^X',
      tag: '{{.Name}}',
    };
    expect(settings(options)).toMatchObject({
      maxSize: 10_000,
      maxFiles: 3,
      compress: true,
      labels: ['app', 'env'],
      labelsRegex: '^com\\.',
      env: ['A', 'B'],
      envRegex: '^X',
      tag: expect.anything(),
    });
  });

  it('takes the form of TypeScript, and keeps it as data', () => {
    const reference = jsonFile({ maxSize: '10m', maxFile: 3, labels: ['app', 'env'], compress: true });
    expect(JSON.parse(JSON.stringify(reference))).toEqual({
      kind: 'log',
      driver: 'json-file',
      options: { maxSize: '10m', maxFile: 3, labels: ['app', 'env'], compress: true },
    });
    expect(settings(reference.options)).toMatchObject({
      maxSize: 10_000_000,
      maxFiles: 3,
      compress: true,
      labels: ['app', 'env'],
    });
    expect(settings({ maxSize: 4096 })).toMatchObject({ maxSize: 4096 });
  });

  it.each(['1', 't', 'T', 'true', 'TRUE', 'True'])("takes %s for true, as Go's ParseBool", (text) => {
    expect(settings({ compress: text, 'max-size': '1m', 'max-file': '2' }).compress).toBe(true);
  });
  it.each(['0', 'f', 'F', 'false', 'FALSE', 'False'])('takes %s for false', (text) => {
    expect(settings({ compress: text }).compress).toBe(false);
  });

  it.each([
    [{ 'max-size': '0' }, /max-size must be a positive number/],
    [{ 'max-size': '-1' }, /max-size: invalid size: '-1'/],
    [{ maxSize: 'big' }, /maxSize: invalid size: 'big'/],
    [{ maxSize: -5 }, /maxSize: invalid size: '-5'/],
    [{ 'max-file': '0' }, /max-file cannot be less than 1/],
    [{ 'max-file': '-2' }, /max-file cannot be less than 1/],
    [{ maxFile: 0 }, /max-file cannot be less than 1/],
    [{ maxFile: 1.5 }, /write a whole number/],
    [{ 'max-file': 'three' }, /write a whole number/],
    [{ 'max-file': '99999' }, /max-file cannot be more than 1000/],
    [{ compress: true }, /compress cannot be true when max-file is less than 2 or max-size is not set/],
    [
      { compress: 'true', 'max-size': '1m' },
      /compress cannot be true when max-file is less than 2 or max-size is not set/,
    ],
    [{ compress: true, maxFile: 3 }, /compress cannot be true when max-file is less than 2 or max-size is not set/],
    [{ compress: 'yes' }, /write true or false/],
    [{ maxSize: '1m', 'max-size': '1m' }, /give either max-size or maxSize, not both/],
    [{ labelsRegex: '(' }, /is not a regular expression of RE2/],
    [{ 'env-regex': '(?=x)' }, /is not a regular expression of RE2/],
    [{ tag: '{{.Nope}}' }, /field '\.Nope' is not known/],
    [{ 'max-sise': '1m' }, /unknown log opt 'max-sise' for json-file log driver \(known: max-size, maxSize, max-file/],
    [{ labels: [1] }, /labels/],
    [{ labels: { a: 'b' } }, /labels/],
  ])('refuses %j', (options, sentence) => {
    expect(() => jsonFile(options as never)).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION', message: expect.stringMatching(sentence) }),
    );
  });
});
