import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

// Plain JavaScript, since it runs before anything is compiled.
// @ts-expect-error: it has no types
const { checkDependencies } = (await import('../../scripts/dependencies/check.mjs')) as {
  checkDependencies(root: string): { files: number; violations: string[] };
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hako-deps-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function check(files: Record<string, string>): string[] {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  // The list of files that may use node:fs is this project's: here those files are not.
  return checkDependencies(root).violations.filter((violation) => !violation.includes('take its line out'));
}

/** Each plants one arrow into a tree that is sound otherwise, and says what the check must find. */
const planted: [name: string, file: string, text: string, sentence: RegExp][] = [
  [
    'base imports contracts',
    'src/base/a.ts',
    "import type { C } from '../contracts/c.ts';",
    /turns back.*src\/contracts\/c\.ts/,
  ],
  ['contracts import a service', 'src/contracts/a.ts', "import '../image/i.ts';", /turns back/],
  ['a service imports the core', 'src/image/a.ts', "import { x } from '../core/runtime.ts';", /turns back/],
  ['a service exports from the core', 'src/image/a.ts', "export * from '../core/runtime.ts';", /turns back/],
  ['a service imports the core late', 'src/image/a.ts', "await import('../core/runtime.ts');", /turns back/],
  [
    'a service names a type of the core',
    'src/image/a.ts',
    "export type A = import('../core/runtime.ts').A;",
    /turns back/,
  ],
  ['the core imports the index', 'src/core/a.ts', "import '../index.ts';", /turns back/],
  ['a directory of no layer', 'src/stray/a.ts', "import '../base/b.ts';", /in no layer/],
  ['libhako/plugin imports the core', 'src/plugin.ts', "import './core/runtime.ts';", /may not import the core/],
  ['the command imports an inner file', 'src/cli/a.ts', "import '../image/i.ts';", /public API/],
  ['a plugin imports the index', 'plugins/log/x/a.ts', "import 'libhako';", /'libhako\/plugin' only/],
  ['a plugin imports a file of src', 'plugins/log/x/a.ts', "import '../../../src/base/b.ts';", /its own files/],
  ['a plugin imports another plugin', 'plugins/log/x/a.ts', "import '../y/index.ts';", /its own files/],
  [
    'a plugin imports another by name',
    'plugins/log/x/a.ts',
    "import 'libhako/plugins/log/y';",
    /'libhako\/plugin' only/,
  ],
  [
    'the core names a plugin',
    'src/core/a.ts',
    "import '../../plugins/log/y/index.ts';",
    /only src\/core\/defaults\.ts/,
  ],
  ['src imports itself by name', 'src/core/a.ts', "import 'libhako/plugin';", /by path/],
  ['a service loads an addon', 'src/image/a.ts', "import { createRequire } from 'node:module';", /only src\/native/],
  [
    "the injector's container elsewhere",
    'src/core/a.ts',
    "import { container } from 'tsyringe';",
    /only src\/core\/injector\.ts/,
  ],
  ['a plugin sees tsyringe', 'plugins/log/x/a.ts', "import { inject } from 'tsyringe';", /never see it/],
  ['a contract sees tsyringe', 'src/contracts/a.ts', "import { inject } from 'tsyringe';", /never see it/],
  ['files by path', 'src/image/a.ts', "import { writeFileSync } from 'node:fs';", /follows links/],
  ['files by path, in promises', 'plugins/log/x/a.ts', "import * as fs from 'node:fs/promises';", /follows links/],
  ['a builtin without its prefix', 'src/core/a.ts', "import 'crypto';", /node:crypto/],
  ['a file that is not there', 'src/core/a.ts', "import './gone.ts';", /there is no/],
];

const sound = {
  'src/base/b.ts': '/* import "../core/runtime.ts" */ export const b = "import \'../index.ts\'";',
  'src/contracts/c.ts':
    "import type { Readable } from 'node:stream'; import { b } from '../base/b.ts'; export type C = Readable | typeof b;",
  'src/image/i.ts':
    "import { inject, injectable } from 'tsyringe'; import type { Stats } from 'node:fs'; import '../contracts/c.ts';",
  'src/core/injector.ts': "import { container } from 'tsyringe';",
  'src/core/defaults.ts': "import '../../plugins/log/y/index.ts';",
  'src/core/runtime.ts': "import '../image/i.ts'; import './defaults.ts';",
  'src/index.ts': "export * from './core/runtime.ts';",
  'src/plugin.ts': "export * from './contracts/c.ts';",
  'src/cli/main.ts': "import '../index.ts';",
  'plugins/log/y/index.ts': "import 'libhako/plugin'; import './part.ts'; import 'zod';",
  'plugins/log/y/part.ts': '',
};

describe('the check of dependency directions', () => {
  test('finds nothing in a sound tree', () => {
    expect(check(sound)).toEqual([]);
  });

  test.each(planted)('finds: %s', (_name, file, text, sentence) => {
    const violations = check({ ...sound, [file]: `${(sound as Record<string, string>)[file] ?? ''}\n${text}` });
    expect(violations).toContainEqual(expect.stringMatching(sentence));
  });

  test('finds a cycle of files, but none that is made of types', () => {
    const there = { 'src/base/one.ts': "import './two.ts';" };
    expect(check({ ...there, 'src/base/two.ts': "import type { A } from './one.ts';" })).toEqual([]);
    expect(check({ ...there, 'src/base/two.ts': "import './one.ts';" })).toEqual([
      expect.stringMatching(/cycle of files: src\/base\/one\.ts → src\/base\/two\.ts/),
    ]);
  });

  test('finds a cycle of directories', () => {
    const violations = check({
      'src/image/i.ts': "import '../log/l.ts';",
      'src/log/l.ts': '',
      'src/log/m.ts': "import type { I } from '../image/j.ts';",
      'src/image/j.ts': '',
    });
    expect(violations).toEqual([expect.stringMatching(/cycle of directories: src\/image → src\/log → src\/image/)]);
  });
});
