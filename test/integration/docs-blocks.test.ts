import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the repository, so that `libhako` is found by the package's own exports. */
const directory = join(repository, 'build/docs');

/** What the pages speak of as given. */
const given = `
import type * as hako from 'libhako';
import type * as plugin from 'libhako/plugin';
import type * as kits from 'libhako/plugin/conformance';
import type * as vitest from 'vitest';
declare global {
  type ContainerSettings = hako.ContainerSettings;
  const HakoError: typeof hako.HakoError;
  const runtime: hako.Runtime;
  const container: hako.Container;
  const image: string;
  const command: string[];
  const signal: AbortSignal;
  const url: string;
  const directory: string;
  const settings: object;
  const yesterday: Date;
  const tryAgain: () => void;
  const readFile: (path: string, encoding: 'utf8') => Promise<string>;
  const linesThatArrivedFrom: (id: string) => Promise<readonly { stream: 'stdout' | 'stderr'; line: Uint8Array }[]>;
  const { definePlugin }: typeof plugin;
  const z: typeof import('zod').z;
  const { logDriverConformance }: typeof kits;
  const { useService }: typeof import('libhako/testing');
  const { test, beforeAll, afterAll }: typeof vitest;
}
`;

interface Block {
  readonly page: string;
  readonly code: string;
}

const blocks: readonly Block[] = readdirSync(join(repository, 'docs'))
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(join(repository, 'docs', page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
      ([, code = '']) => ({ page, code }),
    ),
  );

/** One file for each page, in which a block sees what those before it export; what they say is said in functions. */
function moduleOf(page: string): string {
  const codes = blocks.filter((block) => block.page === page).map(({ code }) => code);
  const isImport = (line: string) => /^import /.test(line);
  const isExported = (code: string) => /^export /m.test(code);
  const imports = new Set(codes.flatMap((code) => code.split('\n').filter(isImport)));
  const bodies = codes.map((code, index) => {
    const rest = code
      .split('\n')
      .filter((line) => !isImport(line))
      .join('\n');
    return isExported(code) ? rest : `export async function block${index}() {\n${rest}}\n`;
  });
  return [...imports, ...bodies, 'export {};'].join('\n');
}

describeWith({ paths: [built.entry] }, 'the blocks of docs/*.md', () => {
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('type-check', { timeout: 120_000 }, () => {
    expect(blocks.length).toBeGreaterThan(15);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'given.d.ts'), given);
    writeFileSync(
      join(directory, 'my-driver.ts'),
      "import type { StorageDriver } from 'libhako/plugin';\nexport declare const myDriver: { create(context: unknown, options: object): Promise<StorageDriver> };\n",
    );
    for (const page of new Set(blocks.map((block) => block.page)))
      writeFileSync(join(directory, page.replace(/\.md$/, '.ts')), moduleOf(page));
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json',
        compilerOptions: { noEmit: true, noUnusedLocals: false, rootDir: '../..', outDir: '../../dist' },
        include: ['./*.ts'],
      }),
    );
    const tsc = join(repository, 'node_modules/.bin/tsc');
    const { status, stdout } = spawnSync(tsc, ['-p', join(directory, 'tsconfig.json')], {
      cwd: repository,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
