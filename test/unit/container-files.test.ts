import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { HakoError, pathStatHeader } from 'libhako';
import { describe, expect, it } from 'vitest';
import { containerPathOf, hostPathOf } from '../../src/container/files/container-path.ts';
import { planCopy } from '../../src/container/files/copy-plan.ts';
import { memoryArchive } from '../../src/container/files/memory-archive.ts';

describe('a path as it is written', () => {
  it.each([
    ['/a/b', '/a/b', false, false],
    ['a/b', '/a/b', false, false],
    ['/a/b/', '/a/b', true, false],
    ['/a/b/.', '/a/b', true, true],
    ['/a/./b//c', '/a/b/c', false, false],
    ['/a/..', '/', true, false],
    ['../../..', '/', true, false],
    ['/', '/', true, false],
    ['.', '/', true, true],
    ['/.', '/', true, true],
    ['/a/...', '/a/...', false, false],
    ['/a/b.', '/a/b.', false, false],
  ])('%j', (written, path, isDirectory, isContents) => {
    expect(containerPathOf(written)).toEqual({ path, isDirectory, isContents });
  });

  it('never leads out of the root, whatever it is, and is clean', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('.', '..', '/', 'a', ' ', '\\', 'é'), minLength: 1 }),
        (written) => {
          const { path } = containerPathOf(written);
          expect(path.startsWith('/')).toBe(true);
          expect(path.split('/').slice(1)).not.toContain('..');
          expect(path === '/' || !/\/\.?(\/|$)/.test(path)).toBe(true);
        },
      ),
    );
  });

  it('begins at the working directory on the host', () => {
    expect(hostPathOf('x/.')).toEqual({ path: `${process.cwd()}/x`, isDirectory: true, isContents: true });
  });

  it.each(['', 'a\0b', 7 as never])('is no path: %j', (written) => {
    expect(() => containerPathOf(written)).toThrow(HakoError);
  });
});

describe('the plan of a copy', () => {
  const source = (written: string, isDirectory: boolean) => ({ written: containerPathOf(written), isDirectory });
  const destination = (
    written: string,
    present: 'file' | 'directory' | null,
    path = containerPathOf(written).path,
  ) => ({
    written: containerPathOf(written),
    path,
    present: present === null ? null : { isDirectory: present === 'directory' },
  });

  it.each([
    ['a file to a new name', source('/s/f', false), destination('/d/n', null), { directory: '/d', name: 'n' }],
    ['a file into a directory', source('/s/f', false), destination('/d', 'directory'), { directory: '/d', name: 'f' }],
    ['a file onto a file', source('/s/f', false), destination('/d/o', 'file'), { directory: '/d', name: 'o' }],
    [
      'a file onto what a link leads to',
      source('/s/f', false),
      destination('/l', 'file', '/d/o'),
      { directory: '/d', name: 'o' },
    ],
    ['a directory to a new name', source('/s/d', true), destination('/d/n/', null), { directory: '/d', name: 'n' }],
    ['a directory into another', source('/s/d', true), destination('/d', 'directory'), { directory: '/d', name: 'd' }],
    [
      'contents into a directory',
      source('/s/d/.', true),
      destination('/d', 'directory'),
      { directory: '/d', name: '' },
    ],
    ['contents to a new name', source('/s/d/.', true), destination('/d/n', null), { directory: '/d', name: 'n' }],
    ['the root into a directory', source('/', true), destination('/d', 'directory'), { directory: '/d', name: '' }],
  ])('%s', (_title, from, to, plan) => {
    expect(planCopy(from, to)).toEqual(plan);
  });

  it.each([
    ['a directory onto a file', source('/s/d', true), destination('/d/o', 'file'), 'PATH_CONFLICT'],
    ['contents onto a file', source('/s/d/.', true), destination('/d/o', 'file'), 'PATH_CONFLICT'],
    ['a file to a directory that is not there', source('/s/f', false), destination('/d/n/', null), 'PATH_NOT_FOUND'],
    [
      'a file to a file that is said to be a directory',
      source('/s/f', false),
      destination('/d/o/', 'file'),
      'PATH_CONFLICT',
    ],
    ['a file that is said to be a directory', source('/s/f/', false), destination('/d', 'directory'), 'PATH_CONFLICT'],
  ])('refuses %s', (_title, from, to, code) => {
    expect(() => planCopy(from, to)).toThrow(expect.objectContaining({ code: `HAKO_ERR_${code}` }));
  });
});

describe('files in memory', () => {
  const list = (archive: Buffer) =>
    execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive, encoding: 'utf8' });

  it('become an archive that tar reads, with long and foreign names, large ids and any content', () => {
    const long = `${'d'.repeat(200)}/${'f'.repeat(200)}`;
    const archive = Buffer.concat([
      ...memoryArchive({
        [long]: 'x'.repeat(513),
        'é/ü': {
          content: new Uint8Array([0, 1, 255]),
          mode: 0o4755,
          uid: 3_000_000_000,
          gid: 65_536,
          modifiedAt: new Date(1_000_000_000_000),
        },
        '/./a//b': '',
      }),
    ]);
    const lines = list(archive);
    expect(lines).toContain(long);
    expect(lines).toMatch(/-rwsr-xr-x 3000000000\/65536 +3 2001-09-0\d .*(é\/ü|\\303\\251\/\\303\\274)/);
    expect(lines).toMatch(/ a\/b\n$/);
    expect(execFileSync('tar', ['-xOf', '-', long], { input: archive, encoding: 'utf8' })).toBe('x'.repeat(513));
    expect(archive.length % 512).toBe(0);
  });

  it.each(['..', 'a/../b', '/', '', 'a/', 'a\0'])('refuses the name %j', (path) => {
    expect(() => [...memoryArchive({ [path]: '' })]).toThrow(
      expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }),
    );
  });
});

describe("Docker's header", () => {
  it.each([
    ['file', 0o4755, 2 ** 23 + 0o755],
    ['directory', 0o1777, 2147484159 + 2 ** 20],
    ['symlink', 0o777, 134218239],
    ['character-device', 0o666, 69206454],
    ['block-device', 0o660, 67109296],
    ['fifo', 0o644, 33554852],
    ['socket', 0o2755, 16777709 + 2 ** 22],
  ] as const)('has the mode of a %s as Go has it', (type, mode, go) => {
    const stat = { name: 'n', type, mode, size: 1, modifiedAt: new Date(0), linkTarget: null };
    const decoded = JSON.parse(Buffer.from(pathStatHeader(stat), 'base64').toString());
    expect(decoded).toEqual({
      name: 'n',
      size: 1,
      mode: go,
      mtime: '1970-01-01T00:00:00.000Z',
      linkTarget: '',
    });
  });
});
