import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locateNative } from '../../src/native/loader.ts';
import { describeWith } from '../support/requires.ts';
import { build, projectRoot, run } from './published.ts';

// Inside the clone, so that 'libhako' is found as a user's program finds it: by the package's own exports.
const directory = join(projectRoot, 'build/embedding');
let outside: string;
let root: string;

beforeAll(() => {
  build();
  rmSync(directory, { recursive: true, force: true });
  outside = mkdtempSync(join(tmpdir(), 'hako-embedding-'));
  root = join(outside, 'root');
  // Jest does not know that a package may name itself.
  mkdirSync(join(directory, 'jest/node_modules'), { recursive: true });
  symlinkSync(projectRoot, join(directory, 'jest/node_modules/libhako'));
});
afterAll(() => {
  for (const each of [directory, outside]) rmSync(each, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Runs a program to its end, which must come by itself. */
function ended(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: directory,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, HAKO_ROOT: root, ...env },
  });
  return { status, stdout, stderr };
}

const bin = (name: string) => join(projectRoot, 'node_modules/.bin', name);
const hello = `
  const { stdout } = await runtime.run({ image: Image.fromHost(), command: ['echo', 'hello'] });
  process.stdout.write(stdout);`;

describeWith({ root: true }, 'a program', () => {
  test('ends though its runtime is open', () => {
    const path = write(
      'idle.mjs',
      `import { Image, Runtime } from 'libhako'; const runtime = await Runtime.open();${hello}`,
    );
    expect(ended(process.execPath, [path])).toMatchObject({ status: 0, stdout: 'hello\n' });
  });

  test('in CommonJS requires the package', () => {
    const path = write(
      'required.cjs',
      `const { Image, Runtime, HakoError } = require('libhako');
      const { startService } = require('libhako/testing');
      (async () => { const runtime = await Runtime.open();${hello} await runtime.close(); })();`,
    );
    expect(ended(process.execPath, [path])).toMatchObject({ status: 0, stdout: 'hello\n' });
  });

  test('has several runtimes, on one root and on others', () => {
    const path = write(
      'several.mjs',
      `import { Image, Runtime } from 'libhako';
      const roots = ['one', 'one', 'two'].map((name) => process.env.HAKO_ROOT + name);
      const runtimes = await Promise.all(roots.map((root) => Runtime.open({ root })));
      const image = Image.fromHost();
      const box = await runtimes[0].containers.create({ image, command: ['sleep', '60'], name: 'box' });
      await box.start();
      const seen = await Promise.all(runtimes.map(async (runtime) => (await runtime.containers.list()).length));
      const ran = await Promise.all(runtimes.map((runtime) => runtime.run({ image, command: ['true'] })));
      const same = await runtimes[1].containers.get('box');
      await same.exec(['true']);
      await runtimes[1].close();
      const { state } = await box.inspect();
      await box.remove({ force: true });
      await Promise.all(runtimes.map((runtime) => runtime.close()));
      console.log(JSON.stringify({ seen, ran: ran.map(({ exitCode }) => exitCode), status: state.status }));`,
    );
    const { stdout, stderr } = ended(process.execPath, [path]);
    expect(JSON.parse(stdout || `"${stderr}"`)).toEqual({ seen: [1, 1, 0], ran: [0, 0, 0], status: 'running' });
  });

  test('terminates worker threads at work, and nothing of them is left', () => {
    const said = run(process.execPath, ['test/support/worker-thread-child.mjs', join(outside, 'threads')], projectRoot);
    expect(JSON.parse(said)).toEqual({
      descriptors: [],
      processes: [],
      ran: 'fine\n',
      containers: expect.any(Number),
      after: [],
    });
  });
});

describeWith({ root: true }, 'a bundle', () => {
  const source = `import { Image, Runtime } from 'libhako';
    (async () => {
      const nativeDirectory = process.argv[2];
      const runtime = await Runtime.open(nativeDirectory ? { nativeDirectory } : {});${hello}
      await runtime.close();
    })().catch(({ code }) => console.log(code));`;

  test.each([
    ['esbuild', 'esm', ['--format=esm', '--outfile=OUT.mjs']],
    ['esbuild', 'cjs', ['--format=cjs', '--outfile=OUT.cjs', '--log-level=error']],
    ['esbuild', 'minified', ['--format=esm', '--minify', '--outfile=OUT.mjs']],
    ['rolldown', 'esm', ['--format=esm', '--file=OUT.mjs']],
  ])('of %s, %s, runs with the native files in a directory of its own', (bundler, kind, flags) => {
    const input = write('bundled.mjs', source);
    const output = join(outside, `${bundler}-${kind}`);
    const args = flags.map((flag) => flag.replace('OUT', output));
    const forNode =
      bundler === 'esbuild' ? ['--bundle', '--platform=node'] : ['--platform=node', '--inlineDynamicImports'];
    execFileSync(bin(bundler), [input, ...forNode, ...args], { cwd: directory, stdio: 'pipe' });
    const bundle = `${output}.${kind === 'cjs' ? 'cjs' : 'mjs'}`;
    const native = locateNative().directory;
    expect(ended(process.execPath, [bundle, native])).toMatchObject({ status: 0, stdout: 'hello\n' });
    expect(ended(process.execPath, [bundle], { HAKO_NATIVE_DIR: native })).toMatchObject({
      status: 0,
      stdout: 'hello\n',
    });
    expect(ended(process.execPath, [bundle])).toMatchObject({ status: 0, stdout: 'HAKO_ERR_NATIVE_NOT_FOUND\n' });
  });
});

const suite = (imports: string, hooks: string) => `
  ${imports}
  const service = useService({ ${hooks} }, { command: ['sh', '-c', 'echo up; exec sleep 60'], ready: { log: 'up' } });
  test('a service in hooks', async () => {
    const { stdout } = await service().exec(['echo', 'hello']);
    if (stdout.toString() !== 'hello\\n') throw new Error(stdout.toString());
  });
  test('an error is what it is', async () => {
    const runtime = await Runtime.open();
    try {
      await runtime.containers.get('nobody');
      throw new Error('found');
    } catch (error) {
      if (!(error instanceof HakoError) || error.code !== 'HAKO_ERR_CONTAINER_NOT_FOUND') throw error;
    }
  });`;

describeWith({ root: true }, 'a test suite', () => {
  test.each([
    [
      'import',
      'suite.test.mjs',
      "import { HakoError, Runtime } from 'libhako'; import { useService } from 'libhako/testing';",
    ],
    [
      'require',
      'suite.test.cjs',
      "const { HakoError, Runtime } = require('libhako'); const { useService } = require('libhako/testing');",
    ],
  ])('of Jest with %s ends, with an open runtime', (_kind, name, imports) => {
    const path = write(`jest/${name}`, suite(imports, 'beforeAll, afterAll'));
    write(
      'jest/jest.config.json',
      JSON.stringify({ transform: {}, testMatch: ['**/*.test.*'], testEnvironment: 'node' }),
    );
    const { status, stderr } = ended(process.execPath, [
      '--experimental-vm-modules',
      bin('jest'),
      '--rootDir',
      join(directory, 'jest'),
      '--config',
      join(directory, 'jest/jest.config.json'),
      '--runInBand',
      path,
    ]);
    expect(stderr).toContain('2 passed');
    expect(stderr).not.toMatch(/did not exit|open handle/i);
    expect(status).toBe(0);
  });

  test('of vitest ends, with an open runtime', () => {
    write(
      'vitest/suite.test.mjs',
      suite(
        "import { HakoError, Runtime } from 'libhako'; import { useService } from 'libhako/testing'; import { afterAll, beforeAll, test } from 'vitest';",
        'beforeAll, afterAll',
      ),
    );
    const { status, stdout, stderr } = ended(bin('vitest'), ['run', '--root', join(directory, 'vitest')]);
    expect(`${stdout}${stderr}`).toMatch(/2 passed/);
    expect(`${stdout}${stderr}`).not.toMatch(/hanging|did not exit|close timed out/i);
    expect(status).toBe(0);
  });

  test('of node:test ends, with an open runtime', () => {
    const path = write(
      'suite.node.mjs',
      suite(
        "import { HakoError, Runtime } from 'libhako'; import { useService } from 'libhako/testing'; import { after, before, test } from 'node:test';",
        'before, after',
      ),
    );
    const { status, stdout } = ended(process.execPath, ['--test', path]);
    expect(stdout).toMatch(/pass 2/);
    expect(status).toBe(0);
  });
});

const oldNode = '/usr/bin/node';
const isOld = () => {
  const { stdout } = spawnSync(oldNode, ['--version'], { encoding: 'utf8' });
  return /^v(1\d|20)\./.test(stdout ?? '') ? undefined : 'an old Node as /usr/bin/node';
};
const source = `import { Runtime } from 'libhako';
  console.log(JSON.stringify(await Runtime.open().catch(({ code, message }) => ({ code, message }))));`;

test('without node:sqlite the error says which Node is needed', () => {
  const path = write('no-sqlite.mjs', source);
  const { stdout } = ended(process.execPath, ['--no-experimental-sqlite', path]);
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'HAKO_ERR_HOST_UNSUPPORTED',
    message: expect.stringContaining('Node 22.13'),
  });
});

describeWith({ other: isOld }, 'an old Node', () => {
  test('imports the package, and is told which one is needed', () => {
    const path = write('old.mjs', source);
    expect(JSON.parse(ended(oldNode, [path]).stdout)).toMatchObject({
      code: 'HAKO_ERR_HOST_UNSUPPORTED',
      message: expect.stringMatching(/\(v(1\d|20)\..*Node 22\.13/),
    });
  });
});
