import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultTarLimits, listTarMembers } from '../../src/image/archive/tar-members.ts';
import { type TarEntry, tar } from '../support/tar.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hako-archive-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const path = join(scratch, 'archive');

async function list(content: Uint8Array) {
  writeFileSync(path, content);
  await using file = await open(path);
  return await listTarMembers(file, defaultTarLimits);
}

/** What a member's data is, by the place that the reader gave. */
async function read(content: Buffer, name: string): Promise<string | undefined> {
  const member = (await list(content)).get(name);
  return member?.kind === 'file' ? content.subarray(member.offset, member.offset + member.size).toString() : undefined;
}

const long = `${'directory/'.repeat(20)}file`;

describe('the reader of archives', () => {
  it.each<[string, TarEntry, string]>([
    ['ustar', { name: 'a/b', data: 'x' }, 'a/b'],
    ['ustar with a prefix', { name: 'b', prefix: 'very/long', data: 'x' }, 'very/long/b'],
    ['GNU', { name: 'a', format: 'gnu', data: 'x' }, 'a'],
    ['the oldest form', { name: 'a', format: 'v7', type: '\0', data: 'x' }, 'a'],
    ['a leading ./', { name: './a', data: 'x' }, 'a'],
    ['doubled slashes', { name: 'a//b', data: 'x' }, 'a/b'],
    ['a long name by GNU', { name: 'short', gnuLongName: long, data: 'x' }, long],
    ['a long name by PAX', { name: 'short', pax: { path: long }, data: 'x' }, long],
    ['a name in Unicode by PAX', { name: '?', pax: { path: 'é/漢' }, data: 'x' }, 'é/漢'],
    ['a size by PAX', { name: 'a', size: 0, pax: { size: '1' }, data: 'x' }, 'a'],
    ['a contiguous file', { name: 'a', type: '7', data: 'x' }, 'a'],
  ])('finds a file in %s', async (_title, entry, name) => {
    expect(await read(tar({ name: 'before', data: 'y'.repeat(1000) }, entry, { name: 'after', data: 'z' }), name)).toBe(
      'x',
    );
  });

  it.each<[string, TarEntry, string]>([
    ['a symbolic link beside its target', { type: '2', name: 'd/link', link: 'file' }, 'd/file'],
    ['a symbolic link upwards', { type: '2', name: 'd/e/link', link: '../../file' }, 'file'],
    ['a hard link', { type: '1', name: 'd/link', link: './file' }, 'file'],
  ])('follows %s by name', async (_title, entry, target) => {
    const members = await list(tar(entry));
    expect([...members.values()]).toEqual([{ kind: 'link', target }]);
  });

  it('does not let a global header give every member another name or size', async () => {
    expect(
      await read(
        Buffer.concat([
          tar({ type: 'g', name: 'global', data: '19 path=other-name\n12 size=900\n' }).subarray(0, 1024),
          tar({ name: 'a', data: 'x' }),
        ]),
        'a',
      ),
    ).toBe('x');
  });

  it('ends at the first block of zeros, whatever follows', async () => {
    expect([...(await list(Buffer.concat([tar({ name: 'a', data: 'x' }), Buffer.from('rubbish')]))).keys()]).toEqual([
      'a',
    ]);
  });

  const entry: fc.Arbitrary<TarEntry> = fc.record(
    {
      name: fc.stringMatching(/^[a-z/.]{1,20}$/),
      type: fc.constantFrom('0', '1', '2', '5', 'x', 'g', 'L', 'K', '3'),
      link: fc.stringMatching(/^[a-z/.]{0,10}$/),
      data: fc.string({ maxLength: 600 }),
      format: fc.constantFrom('ustar' as const, 'gnu' as const, 'v7' as const),
    },
    { requiredKeys: ['name'] },
  );

  it('lists or refuses with its own error, whatever the entries and however the bytes were changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
        fc.nat(600),
        async (entries, changes, cut) => {
          const content = Buffer.from(tar(...entries));
          for (const [at, byte] of changes) content[at % content.length] = byte;
          try {
            for (const [name, member] of await list(content.subarray(0, content.length - cut))) {
              expect(name).not.toMatch(/^\/|^$|(?:^|\/)\.\.(?:\/|$)/);
              if (member.kind === 'file') expect(member.offset + member.size).toBeLessThanOrEqual(content.length);
            }
          } catch (error) {
            expect((error as { code?: string }).code, String(error)).toMatch(
              /^HAKO_ERR_(?:INVALID_ARCHIVE|ARCHIVE_LIMIT_EXCEEDED)$/,
            );
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
