import { describe, expect, it } from 'vitest';
import { jsonFile } from '../../plugins/log/json-file/index.ts';
import { none } from '../../plugins/log/none/index.ts';
import { logDriverConformance } from '../../src/plugins/conformance/log-driver.ts';
import { LoggedSubject, textOf } from '../../src/plugins/conformance/log-subject.ts';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';
import { supervisorOutput } from '../support/supervisor-output.ts';

const withOptions = (options: object) => (context: Parameters<typeof jsonFile.create>[0]) =>
  jsonFile.create(context, parsePluginOptions(jsonFile, options));

const variants: Record<string, object> = {
  'by default': {},
  'with rotation': { maxSize: 1_500, maxFile: 100 },
  'with rotation, and few files kept': { maxSize: 5_000, maxFile: 4 },
  'with rotation and one file': { maxSize: 60_000, maxFile: 1 },
  'with compression': { maxSize: 3_000, maxFile: 100, compress: true },
  'with attributes': { labels: 'app', envRegex: '^PATH$', tag: '{{.Name}}/{{.ID}}' },
};

for (const [name, options] of Object.entries(variants)) {
  const subject = { create: withOptions(options), reads: true };
  describe(`json-file ${name}, written in Node`, () => logDriverConformance(subject));
  describe(`json-file ${name}, written by a supervisor`, () =>
    logDriverConformance({ ...subject, output: supervisorOutput }));
}

describe('none', () => logDriverConformance({ create: (context) => none.create(context, {}), reads: false }));

describe('json-file, written by a supervisor', () => {
  it('has the attributes in each record', async () => {
    await using logged = await LoggedSubject.create({
      create: withOptions(variants['with attributes'] ?? {}),
      reads: true,
      output: supervisorOutput,
    });
    await logged.print('1\n2\n');
    const entries = await logged.read();
    expect(entries.map(textOf)).toEqual(['1', '2']);
    for (const { attributes } of entries)
      expect(attributes).toEqual({
        app: 'conformance',
        PATH: '/bin',
        tag: `conformance/${logged.container.id.slice(0, 12)}`,
      });
  });
});
