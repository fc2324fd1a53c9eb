import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, filesIn, installedProject, pack, projectRoot, run } from './published.ts';

const libc =
  (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime === undefined
    ? 'musl'
    : 'gnu';
const target = `${process.arch}-${libc}`;
const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
const entries = Object.entries(manifest.exports as Record<string, unknown>)
  .filter(([, to]) => typeof to === 'object')
  .map(([entry]) => `libhako${entry.slice(1)}`);

let directory: string;
let tarballs: { main: string; native: string };
let project: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-package-'));
  build();
  const staged = join(directory, 'npm');
  // The parts that this machine's own compiler made: a release makes them with zig, for all four targets.
  run(
    process.execPath,
    ['scripts/prebuild.mjs', '--target', target, '--from', 'build/native', '--out', staged],
    projectRoot,
  );
  tarballs = {
    main: pack(join(staged, 'libhako'), directory),
    native: pack(join(staged, `linux-${target}`), directory),
  };
  project = installedProject(directory, Object.values(tarballs));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function node(source: string, env: Record<string, string> = {}): string {
  writeFileSync(join(project, 'program.mjs'), source);
  return run(process.execPath, ['program.mjs'], project, env);
}

describe('the tarballs', () => {
  test('hold what is used, and no more', () => {
    const files = filesIn(tarballs.main);
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'dist/src/index.js',
        'dist/src/index.d.ts',
      ]),
    );
    expect(
      files.filter(
        (path) => !/^(dist\/(src|plugins)\/|bin\/hako$|package\.json$|README\.md$|LICENSE$|CHANGELOG\.md$)/.test(path),
      ),
    ).toEqual([]);
    expect(filesIn(tarballs.native).sort()).toEqual([
      'LICENSE',
      'README.md',
      'hako-supervisor',
      'hako-worker',
      'hako.node',
      'package.json',
    ]);
  });

  test('have no install script, and name no operating system for the main package', () => {
    const main = JSON.parse(readFileSync(join(project, 'node_modules/libhako/package.json'), 'utf8'));
    expect(main).not.toHaveProperty('scripts');
    expect(main).not.toHaveProperty('os');
    expect(Object.keys(main.optionalDependencies).sort()).toEqual(
      ['arm64-gnu', 'arm64-musl', 'x64-gnu', 'x64-musl'].map((each) => `@libhako/linux-${each}`),
    );
    const native = JSON.parse(
      readFileSync(join(project, `node_modules/@libhako/linux-${target}/package.json`), 'utf8'),
    );
    expect(native).not.toHaveProperty('scripts');
    expect(native).toMatchObject({ version: main.version, os: ['linux'], cpu: [process.arch] });
  });

  test('keep the programs executable', () => {
    for (const name of ['hako-supervisor', 'hako-worker']) {
      expect(statSync(join(project, `node_modules/@libhako/linux-${target}`, name)).mode & 0o111).toBe(0o111);
    }
  });
});

describe('in a project that installed them', () => {
  test.each(entries.filter((entry) => !entry.endsWith('/conformance')))('%s can be imported', (entry) => {
    expect(JSON.parse(node(`console.log(JSON.stringify(Object.keys(await import('${entry}'))))`))).not.toEqual([]);
  });

  test('an inner file can not be imported', () => {
    expect(() => node("await import('libhako/dist/src/index.js')")).toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  test('importing starts nothing and touches nothing', () => {
    const said = node(`
      import { readdirSync } from 'node:fs';
      const before = readdirSync('/proc/self/task').length;
      await import('libhako');
      const handles = process.getActiveResourcesInfo().filter((name) => !/^(FSReqPromise|PipeWrap|TTYWrap|Immediate)$/.test(name));
      console.log(JSON.stringify({ handles, threads: readdirSync('/proc/self/task').length - before }));
    `);
    expect(JSON.parse(said)).toEqual({ handles: [], threads: 0 });
  });

  test('a program runs in a container, by the prebuilt parts', () => {
    const said = node(`
      import { Image, Runtime } from 'libhako';
      await using runtime = await Runtime.open({ root: '${join(directory, 'root')}' });
      const { exitCode, stdout } = await runtime.run({ image: Image.fromHost(), command: ['sh', '-c', 'echo pid $$'] });
      console.log(JSON.stringify({ exitCode, stdout: stdout.toString() }));
    `);
    expect(JSON.parse(said)).toEqual({ exitCode: 0, stdout: 'pid 1\n' });
  });

  test('without the native package, the error says what to do', () => {
    const said = node(
      `
      import { Runtime } from 'libhako';
      const error = await Runtime.open({ root: '${join(directory, 'none')}' }).catch((reason) => reason);
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    `,
      { HAKO_NATIVE_DIR: join(directory, 'nowhere') },
    );
    expect(JSON.parse(said)).toMatchObject({
      code: 'HAKO_ERR_NATIVE_NOT_FOUND',
      message: expect.stringContaining('HAKO_NATIVE_DIR'),
    });
  });
});

describe('types', () => {
  const source = [
    "import { HakoError, Image, Runtime } from 'libhako';",
    "import { definePlugin } from 'libhako/plugin';",
    "import { jsonFile } from 'libhako/plugins/log/json-file';",
    'export async function use(): Promise<number> {',
    '  await using runtime = await Runtime.open();',
    "  const result = await runtime.run({ image: Image.fromHost(), command: ['true'], log: jsonFile({ 'max-size': '10m' }) });",
    '  return result.exitCode;',
    '}',
    'export const known: (error: unknown) => boolean = (error) => error instanceof HakoError;',
    'export const define: typeof definePlugin = definePlugin;',
    '// @ts-expect-error: an option that there is not',
    "export const wrong = jsonFile({ 'max-sizes': '10m' });",
    '',
  ].join('\n');

  beforeAll(() => {
    for (const name of ['typescript', '@types', '@typescript', 'undici-types']) {
      symlinkSync(join(projectRoot, 'node_modules', name), join(project, 'node_modules', name));
    }
    writeFileSync(join(project, 'user.ts'), source);
  });

  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('resolve with module %s and moduleResolution %s, checked with their libraries', (module, moduleResolution) => {
    const config = {
      compilerOptions: {
        ...{ module, moduleResolution, target: 'es2023', lib: ['es2024', 'esnext.disposable'], types: ['node'] },
        ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false },
      },
      files: ['user.ts'],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
    expect(run(process.execPath, [join(projectRoot, 'node_modules/typescript/bin/tsc'), '-p', '.'], project)).toBe('');
  });
});
