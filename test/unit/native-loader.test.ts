import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LoaderEnvironment, locateNative } from '../../src/native/loader.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hako-loader-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function install(name: string, files = ['hako.node', 'hako-supervisor', 'hako-worker']): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  for (const file of files) writeFileSync(join(path, file), '');
  return path;
}

function environment(overrides: Partial<LoaderEnvironment> = {}): LoaderEnvironment {
  return {
    platform: 'linux',
    arch: 'x64',
    libc: 'gnu',
    variable: undefined,
    resolvePackage: () => undefined,
    buildDirectory: join(directory, 'build'),
    ...overrides,
  };
}

const unsupported = { code: 'HAKO_ERR_HOST_UNSUPPORTED' };
const notFound = { code: 'HAKO_ERR_NATIVE_NOT_FOUND' };

describe('the native parts are found', () => {
  test('in the directory that the option names, before all others', () => {
    const named = install('named');
    const variable = install('variable');
    const packaged = install('packaged');
    install('build/linux-x64-gnu');
    const everywhere = environment({ variable, resolvePackage: () => packaged });
    expect(locateNative(named, everywhere)).toEqual({
      directory: named,
      addon: join(named, 'hako.node'),
      supervisor: join(named, 'hako-supervisor'),
      worker: join(named, 'hako-worker'),
    });
    expect(locateNative(undefined, everywhere).directory).toBe(variable);
    expect(locateNative(undefined, { ...everywhere, variable: undefined }).directory).toBe(packaged);
    expect(locateNative(undefined, environment()).directory).toBe(join(directory, 'build/linux-x64-gnu'));
  });

  test.each([
    ['x64', 'gnu'],
    ['x64', 'musl'],
    ['arm64', 'gnu'],
    ['arm64', 'musl'],
  ] as const)('in the optional package for %s and %s', (arch, libc) => {
    const asked: string[] = [];
    const packaged = install('packaged');
    const resolvePackage = (name: string) => {
      asked.push(name);
      return packaged;
    };
    expect(locateNative(undefined, environment({ arch, libc, resolvePackage })).directory).toBe(packaged);
    expect(asked).toEqual([`@libhako/linux-${arch}-${libc}`]);
  });

  test('by an absolute path, whatever the working directory is later', () => {
    const named = install('named');
    expect(locateNative(join(named, '../named'), environment()).addon).toBe(join(named, 'hako.node'));
  });
});

describe('what is missing is said, with the remedy', () => {
  test.each(['darwin', 'win32', 'freebsd'])('on %s', (platform) => {
    expect(() => locateNative(undefined, environment({ platform }))).toThrow(expect.objectContaining(unsupported));
    expect(() => locateNative(undefined, environment({ platform }))).toThrow(/Linux/);
  });

  test('on another processor', () => {
    expect(() => locateNative(undefined, environment({ arch: 'riscv64' }))).toThrow(
      expect.objectContaining(unsupported),
    );
  });

  test('when nothing is installed', () => {
    expect(() => locateNative(undefined, environment())).toThrow(expect.objectContaining(notFound));
    expect(() => locateNative(undefined, environment())).toThrow(/@libhako\/linux-x64-gnu.*npm run build:native/);
  });

  test.each(['hako.node', 'hako-supervisor', 'hako-worker'])(
    'when %s is not in a directory that was named',
    (missing) => {
      const named = install(
        'named',
        ['hako.node', 'hako-supervisor', 'hako-worker'].filter((file) => file !== missing),
      );
      install('build/linux-x64-gnu');
      expect(() => locateNative(named, environment())).toThrow(
        expect.objectContaining({ ...notFound, path: join(named, missing) }),
      );
      expect(() => locateNative(undefined, environment({ variable: named }))).toThrow(/HAKO_NATIVE_DIR/);
    },
  );
});
