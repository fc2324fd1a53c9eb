/**
 * The kinds of breakout that containerd's TestBreakouts names, each aimed at a canary outside the root, with archives
 * of our own (catalogue 1D: CVE-2014-6407, CVE-2014-9356, CVE-2021-32760, CVE-2026-50163).
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Attack, type Box, standsAgainst } from '../support/attack.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, hardlink, symlink } from '../support/tar.ts';

type Check = (box: Box) => void;

/** A file of the root; `outside/…` stands for the canary's own absolute path, taken inside the root. */
const inRoot = ({ root, outside }: Box, path: string): string => join(root, path.replace(/^\/outside/, outside));

const content =
  (path: string, text: string): Check =>
  (box) =>
    expect(readFileSync(inRoot(box, path), 'utf8')).toBe(text);
const sameFile =
  (a: string, b: string): Check =>
  (box) =>
    expect(lstatSync(inRoot(box, a)).ino).toBe(lstatSync(inRoot(box, b)).ino);
const absent =
  (path: string): Check =>
  (box) =>
    expect(lstatSync(inRoot(box, path), { throwIfNoEntry: false })).toBeUndefined();
const both =
  (...checks: readonly Check[]): Check =>
  (box) => {
    for (const check of checks) check(box);
  };

/** The image has files of its own at the paths that its links lead to, so that there is something to link to inside. */
const decoy = ({ outside }: Box) => file(`${outside}/etc/passwd`, 'inside');
const relativeDecoy = file('outside/etc/passwd', 'inside');

const below = ({ root }: Box): void => {
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(root, 'etc/whitedout'), 'inside');
};
const linkBelow =
  (target: string | null) =>
  (box: Box): void => {
    below(box);
    symlinkSync(target ?? `${box.outside}/etc`, join(box.root, 'localetc'));
  };
const etcIsGone = ({ root }: Box): boolean => existsSync(root) && !existsSync(join(root, 'etc/passwd'));
const apply = { whiteouts: 'apply' } as const;

const symlinks: readonly Attack[] = [
  {
    name: 'SymlinkAbsolute',
    entries: ({ outside }) => [
      directory('etc'),
      symlink('localetc', `${outside}/etc`),
      file('localetc/unbroken', 'in'),
    ],
    check: content('/outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkUpAndOut',
    entries: () => [
      directory('etc'),
      directory('dummy'),
      symlink('localetc', 'dummy/../../outside/etc'),
      file('localetc/unbroken', 'in'),
    ],
    check: content('outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkMultipleAbsolute',
    entries: ({ outside }) => [
      directory('dummy'),
      symlink('dummy/etc', `${outside}/etc`),
      symlink('localetc', 'dummy/etc'),
      file('localetc/unbroken', 'in'),
    ],
    check: content('/outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkMultipleRelative',
    entries: () => [
      directory('dummy'),
      symlink('dummy/etc', '../../outside/etc'),
      symlink('localetc', './dummy/etc'),
      file('dummy/etc/unbroken', 'in'),
    ],
    check: content('outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkEmptyFile',
    entries: ({ outside }) => [symlink('localetc', `${outside}/etc`), file('localetc/emptied', '')],
    check: content('/outside/etc/emptied', ''),
  },
  {
    name: 'SymlinkParentDirectory',
    entries: ({ outside }) => [symlink('..', `${outside}/etc`), file('escaped', 'out')],
    refused: /leads out of the tree/,
  },
  {
    name: 'SymlinkEmptyFilename',
    entries: ({ outside }) => [symlink('', `${outside}/etc`), file('escaped', 'out')],
    refused: /an empty name/,
  },
  {
    name: 'SymlinkParentRelative',
    entries: ({ outside }) => [symlink('localetc/sub/..', `${outside}/etc`), file('localetc/unbroken', 'in')],
    check: content('/outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkSlashEnded',
    entries: ({ outside }) => [symlink('localetc/', `${outside}/etc/`), file('localetc/unbroken', 'in')],
    check: content('/outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkOverrideDirectory',
    before: (box) => mkdirSync(join(box.root, 'localetc')),
    entries: ({ outside }) => [symlink('localetc', `${outside}/etc`), file('localetc/unbroken', 'in')],
    check: content('/outside/etc/unbroken', 'in'),
  },
  {
    name: 'SymlinkOverrideDirectoryRelative',
    before: (box) => mkdirSync(join(box.root, 'localetc')),
    entries: () => [symlink('localetc', '../outside/etc'), file('localetc/unbroken', 'in')],
    check: content('outside/etc/unbroken', 'in'),
  },
  {
    name: 'DirectoryOverrideSymlink',
    before: linkBelow(null),
    entries: () => [directory('localetc/', 0o700), file('localetc/unbroken', 'in')],
    check: both(content('localetc/unbroken', 'in'), ({ root }) =>
      expect(lstatSync(join(root, 'localetc')).isDirectory()).toBe(true),
    ),
  },
  {
    name: 'DirectoryOverrideSymlinkAndHardlink',
    before: linkBelow(null),
    entries: () => [directory('localetc/'), file('localetc/passwd', 'different')],
    check: both(content('localetc/passwd', 'different'), content('etc/passwd', 'inside')),
  },
  {
    name: 'SymlinkOverridePath',
    entries: ({ outside }) => [
      directory('foo'),
      directory('foo/tmp'),
      file('foo/tmp/breakout', '1'),
      symlink('foo', outside),
      file('foo/tmp/breakout', '2'),
      directory('foo'),
      directory('foo/tmp'),
      file('foo/tmp/breakout', '3'),
    ],
    check: both(content('foo/tmp/breakout', '3'), content('/outside/tmp/breakout', '2')),
  },
];

const hardlinks: readonly Attack[] = [
  {
    name: 'HardlinkRelative',
    entries: () => [
      relativeDecoy,
      directory('breakouts (CVE-2014-6407, CVE-2014-9356, CVE-2026-50163)'),
      symlink('breakouts/d1', '../../outside/etc'),
      hardlink('breakouts/mypasswd', 'breakouts/d1/passwd'),
    ],
    check: sameFile('breakouts/mypasswd', 'outside/etc/passwd'),
  },
  {
    name: 'HardlinkDownAndOut',
    entries: () => [
      relativeDecoy,
      directory('breakouts'),
      directory('downandout'),
      symlink('breakouts/d1', '../downandout/../../outside/etc'),
      hardlink('breakouts/mypasswd', 'breakouts/d1/passwd'),
    ],
    check: sameFile('breakouts/mypasswd', 'outside/etc/passwd'),
  },
  {
    name: 'HardlinkAbsolute',
    entries: (box) => [
      decoy({ ...box, outside: `.${box.outside}` }),
      symlink('localetc', `${box.outside}/etc`),
      hardlink('localpasswd', 'localetc/passwd'),
    ],
    check: sameFile('localpasswd', '/outside/etc/passwd'),
  },
  {
    name: 'HardlinkRelativeLong',
    entries: (box) => [
      decoy({ ...box, outside: `.${box.outside}` }),
      symlink('localetc', `${'../'.repeat(20)}${box.outside.slice(1)}/etc`),
      hardlink('localpasswd', 'localetc/passwd'),
    ],
    check: sameFile('localpasswd', '/outside/etc/passwd'),
  },
  {
    name: 'HardlinkRelativeUpAndOut',
    entries: () => [
      relativeDecoy,
      directory('upandout'),
      symlink('localetc', 'upandout/../../outside/etc'),
      hardlink('localpasswd', 'localetc/passwd'),
    ],
    check: sameFile('localpasswd', 'outside/etc/passwd'),
  },
  {
    name: 'HardlinkDirectRelative',
    entries: () => [relativeDecoy, hardlink('localpasswd', '../outside/etc/passwd')],
    refused: /leads out of the tree/,
  },
  {
    name: 'HardlinkDirectAbsolute',
    entries: ({ outside }) => [hardlink('localpasswd', `${outside}/etc/passwd`)],
    refused: /a name that is not there/,
  },
  {
    name: 'HardlinkSymlinkBeforeCreateTarget',
    entries: ({ outside }) => [
      symlink('localpasswd', `${outside}/etc/passwd`),
      hardlink('localpasswd-dup', 'localpasswd'),
      file('localpasswd-dup', 'after'),
    ],
    check: both(content('localpasswd-dup', 'after'), ({ root, outside }) =>
      expect(readlinkSync(join(root, 'localpasswd'))).toBe(`${outside}/etc/passwd`),
    ),
  },
  {
    name: 'HardlinkSymlinkRelative',
    entries: () => [symlink('passwdlink', '../outside/etc/passwd'), hardlink('localpasswd', 'passwdlink')],
    check: both(sameFile('localpasswd', 'passwdlink'), ({ root }) =>
      expect(readlinkSync(join(root, 'localpasswd'))).toBe('../outside/etc/passwd'),
    ),
  },
  {
    name: 'HardlinkSymlinkAbsolute',
    entries: ({ outside }) => [symlink('passwdlink', `${outside}/etc/passwd`), hardlink('localpasswd', 'passwdlink')],
    check: sameFile('localpasswd', 'passwdlink'),
  },
  {
    name: 'HardlinkSymlinkChmod (CVE-2021-32760)',
    entries: ({ outside }) => [
      symlink('passwdlink', `${outside}/etc/passwd`),
      hardlink('sketchylink', 'passwdlink', { mode: 0o777, uid: 12345 }),
    ],
    check: sameFile('sketchylink', 'passwdlink'),
  },
];

const whiteouts: readonly Attack[] = [
  {
    name: 'WhiteoutRootParent',
    before: below,
    request: apply,
    entries: () => [file('.wh...')],
    refused: /a whiteout of nothing/,
  },
  {
    name: 'WhiteoutParent',
    before: below,
    request: apply,
    entries: () => [file('etc/.wh...')],
    refused: /a whiteout of nothing/,
  },
  {
    name: 'WhiteoutRoot',
    before: below,
    request: apply,
    entries: () => [file('.wh..')],
    refused: /a whiteout of nothing/,
  },
  {
    name: 'WhiteoutCurrentDirectory',
    before: below,
    request: apply,
    entries: () => [file('etc/.wh..')],
    refused: /a whiteout of nothing/,
    reached: etcIsGone,
  },
  {
    name: 'WhiteoutSymlink',
    before: linkBelow(null),
    request: apply,
    entries: () => [file('.wh.localetc')],
    check: both(content('etc/passwd', 'inside'), absent('localetc')),
  },
  {
    name: 'WhiteoutSymlinkPath',
    before: linkBelow(null),
    request: apply,
    entries: () => [file('localetc/.wh.whitedout')],
    check: content('etc/whitedout', 'inside'),
  },
  {
    name: 'WhiteoutDirectoryName',
    before: below,
    request: apply,
    entries: () => [file('.wh.etc/somefile', 'not a whiteout')],
    check: both(content('etc/passwd', 'inside'), content('.wh.etc/somefile', 'not a whiteout')),
    reached: etcIsGone,
  },
  {
    name: 'WhiteoutDeadSymlinkParent',
    before: linkBelow('../outside/dne'),
    request: apply,
    entries: () => [file('localetc/.wh.etc')],
    check: content('etc/passwd', 'inside'),
  },
  {
    name: 'WhiteoutRelativePath',
    before: linkBelow(null),
    request: apply,
    entries: () => [file('dne/../../outside/.wh.etc')],
    refused: /leads out of the tree/,
  },
];

describeWith({ root: true }, 'breakouts', () => {
  test.each([...symlinks, ...hardlinks, ...whiteouts])('$name', standsAgainst);

  test('all 34 kinds are here', () => expect([...symlinks, ...hardlinks, ...whiteouts]).toHaveLength(34));
});
