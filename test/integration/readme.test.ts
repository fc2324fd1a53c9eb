import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeBusyboxRoot } from '../support/test-runtime.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(repository, 'README.md'), 'utf8');

interface Block {
  readonly heading: string;
  readonly code: string;
}

function blocks(): readonly Block[] {
  let heading = 'hako';
  const found: Block[] = [];
  for (const [, title, code] of readme.matchAll(/^#+ (.+)$|^```ts\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else if (code !== undefined) found.push({ heading, code });
  }
  return found;
}

/** What the comments behind printing statements promise, in order. */
function promises(code: string): readonly string[] {
  return [...code.matchAll(/^\s*(?:console\.log|process\.stdout\.write)\(.*\);\s*\/\/ (.+)$/gm)].map(
    ([, text]) => text ?? '',
  );
}

describe('the README', () => {
  // Inside the repository, so that `libhako` is found as a user's program finds it: by the package's own exports.
  const directory = join(repository, 'build/readme');
  let scratch = '';
  beforeAll(() => {
    if (process.env['HAKO_BUILT'] !== '1') execFileSync('npm', ['run', '-s', 'build:ts'], { cwd: repository });
    mkdirSync(directory, { recursive: true });
    scratch = mkdtempSync(join(tmpdir(), 'hako-readme-'));
    writeBusyboxRoot(join(scratch, 'image'));
  }, 120_000);
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  });

  it('has blocks to run', () => {
    expect(blocks().length).toBeGreaterThan(7);
  });

  it.each(blocks().map((block, index) => ({ ...block, index })))(
    'does what it says under "$heading"',
    ({ code, index }) => {
      const file = join(directory, `block-${index}.ts`);
      writeFileSync(
        file,
        `const imageDirectory: string = ${JSON.stringify(join(scratch, 'image'))};\n${code}\nvoid imageDirectory;\n`,
      );
      const output = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
        cwd: scratch,
        encoding: 'utf8',
        env: { ...process.env, HAKO_ROOT: join(scratch, 'root') },
        timeout: 60_000,
      });
      let rest = output.split('\n');
      for (const promise of promises(code)) {
        const at = rest.indexOf(promise);
        expect(at, `'${promise}' in the output:\n${output}`).toBeGreaterThanOrEqual(0);
        rest = rest.slice(at + 1);
      }
    },
  );

  it('type-checks', () => {
    const config = join(directory, 'tsconfig.json');
    writeFileSync(
      config,
      JSON.stringify({
        extends: '../../tsconfig.json',
        compilerOptions: { noEmit: true, noUnusedLocals: false, rootDir: '../..', outDir: '../../dist' },
        include: ['./*.ts'],
      }),
    );
    const { status, stdout } = spawnSync(join(repository, 'node_modules/.bin/tsc'), ['-p', config], {
      cwd: repository,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
