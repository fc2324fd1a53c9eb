/**
 * Links of which none leads out by its text: what readers fell for that check text instead of asking the kernel
 * (catalogue 1D). Every attack is generated anew, and runs against the naive extractor too.
 */
import { lstatSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attack, type Box, standsAgainst } from '../support/attack.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, hardlink, symlink, type TarEntry } from '../support/tar.ts';

const inside = ({ root }: Box, path: string): string => join(root, path);
const overwritten = (path: string) => (box: Box) => expect(readFileSync(inside(box, path), 'utf8')).toBe('overwritten');

/** A link's text, from where it lies, when both are in the root: as a reader looks at it that checks texts. */
const leadsOutByText = (at: string, target: string): boolean =>
  posix.join(posix.dirname(at), target).split('/')[0] === '..';

interface Chain {
  /** Links, each of which lies somewhere else and leads to the one before. */
  readonly entries: readonly TarEntry[];
  /** What leads out. */
  readonly end: string;
}

/** up -> ../.., escape -> c/up/../outside/etc, and some links on links. */
function chainOf(depth: number, split: boolean, hops: readonly string[]): Chain {
  const parts = Array.from({ length: depth }, (_, index) => `c${index}`);
  const parents = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const bottom = parents.at(-1) ?? '';
  const links: [at: string, target: string][] = [];
  if (split) {
    // One link goes up half of the way, another on it the rest.
    const half = Math.ceil(depth / 2);
    links.push([`${bottom}/half`, '../'.repeat(half)], [`${bottom}/up`, `half/${'../'.repeat(depth - half)}`]);
  } else links.push([`${bottom}/up`, '../'.repeat(depth)]);
  let end = 'escape';
  links.push([end, `${bottom}/up/../outside/etc`]);
  for (const [index, place] of hops.entries()) {
    const at = `${place === '' ? '' : `${place}/`}hop${index}`;
    links.push([at, posix.join(place === '' ? '' : '..', end)]);
    end = at;
  }
  for (const [at, target] of links) expect(leadsOutByText(at, target), `${at} -> ${target}`).toBe(false);
  const places = [...new Set(hops)].filter((place) => place !== '');
  return {
    entries: [...[...parents, ...places].map((path) => directory(path)), ...links.map(([at, to]) => symlink(at, to))],
    end,
  };
}

const decoy = file('outside/etc/passwd', 'inside');

/** What is done at the end of a chain. */
const ends: Readonly<Record<string, (end: string) => Pick<Attack, 'check'> & { entries: readonly TarEntry[] }>> = {
  'a file through it': (end) => ({
    entries: [file(`${end}/passwd`, 'overwritten')],
    check: overwritten('outside/etc/passwd'),
  }),
  'a new file through it': (end) => ({
    entries: [file(`${end}/deep/new`, 'overwritten')],
    check: overwritten('outside/etc/deep/new'),
  }),
  'a hard link through it, and a file on that': (end) => ({
    entries: [hardlink('stolen', `${end}/passwd`), file('stolen', 'overwritten')],
    check: (box) => {
      overwritten('stolen')(box);
      expect(readFileSync(inside(box, 'outside/etc/passwd'), 'utf8')).toBe('inside');
    },
  }),
  'a hard link through it, with another mode and owner': (end) => ({
    entries: [hardlink('stolen', `${end}/passwd`, { mode: 0o777, uid: 12345 })],
    check: (box) => expect(lstatSync(inside(box, 'stolen')).ino).toBe(lstatSync(inside(box, 'outside/etc/passwd')).ino),
  }),
  'the mode of a directory through it': (end) => ({
    entries: [directory(`${end}/deep`, 0o700), directory(`${end}/deep`, 0o777)],
    check: (box) => expect(lstatSync(inside(box, 'outside/etc/deep')).mode & 0o777).toBe(0o777),
  }),
  'a link through it in place of a file': (end) => ({
    entries: [symlink(`${end}/emptied`, '/'), symlink(`${end}/passwd`, 'emptied')],
    check: (box) => expect(lstatSync(inside(box, 'outside/etc/passwd')).isSymbolicLink()).toBe(true),
  }),
};

const chains = fc.record({
  depth: fc.integer({ min: 1, max: 6 }),
  split: fc.boolean(),
  hops: fc.array(fc.constantFrom('', 'd', 'e'), { maxLength: 5 }),
});

/** Text that a check lets pass, and that becomes another afterwards. */
const withoutDrive = (name: string): string => name.replace(/^[A-Z]:/, '');
const misreadings: readonly Attack[] = [
  {
    name: 'CVE-2026-23745: a hard link to an absolute path',
    entries: ({ outside }) => [hardlink('stolen', `${outside}/etc/passwd`), file('stolen', 'overwritten')],
    refused: /a name that is not there/,
  },
  {
    name: 'CVE-2026-23745: a symbolic link to an absolute path, and a file through it',
    entries: ({ outside }) => [symlink('x', `${outside}/etc`), file('x/passwd', 'overwritten')],
    check: (box) => overwritten(join(box.outside, 'etc/passwd'))(box),
  },
  {
    name: 'CVE-2026-29786: a hard link relative to a drive',
    entries: () => [hardlink('stolen', 'C:../outside/etc/passwd'), file('stolen', 'overwritten')],
    misread: (entry) => (entry.link === undefined ? entry : { ...entry, link: withoutDrive(String(entry.link)) }),
    refused: /leads out of the tree|not there/,
  },
  {
    name: 'CVE-2026-31802: a symbolic link relative to a drive',
    entries: () => [symlink('x', 'C:../outside/etc'), file('x/passwd', 'overwritten')],
    misread: (entry) => (entry.link === undefined ? entry : { ...entry, link: withoutDrive(String(entry.link)) }),
    check: overwritten('C:../outside/etc/passwd'),
  },
  {
    name: 'CVE-2026-23950: two names that a reader takes for one, or for two',
    entries: () => [symlink('stra\u00dfe', '../outside/etc'), file('strasse/passwd', 'overwritten')],
    misread: (entry) => ({ ...entry, name: String(entry.name).replace('\u00df', 'ss') }),
    check: overwritten('strasse/passwd'),
  },
  {
    name: 'CVE-2026-23950: one name composed and decomposed',
    entries: () => [symlink('caf\u00e9', '../outside/etc'), file('cafe\u0301/passwd', 'overwritten')],
    misread: (entry) => ({ ...entry, name: String(entry.name).normalize('NFC') }),
    check: overwritten('cafe\u0301/passwd'),
  },
];

describeWith({ root: true }, 'chains of links', () => {
  test.each(Object.entries(ends))(
    'CVE-2026-26960, CVE-2026-53486, GHSA-pq67: each leads nowhere by its text, then %s',
    async (name, finish) => {
      await fc.assert(
        fc.asyncProperty(chains, async ({ depth, split, hops }) => {
          const { entries, end } = chainOf(depth, split, hops);
          const { entries: last, ...checks } = finish(end);
          await standsAgainst({ name, entries: () => [decoy, ...entries, ...last], ...checks });
        }),
        { numRuns: 25 },
      );
    },
  );

  test.each(misreadings.map((attack) => [attack.name, attack] as const))('%s', (_, attack) => standsAgainst(attack));
});
