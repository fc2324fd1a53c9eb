import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const suite = 'bookworm';
/** Kept between runs: making it takes a minute, and a mirror. */
const cached = join(tmpdir(), `debian-${suite}-minbase.tar`);

/** The machine's own mirror of Debian, or everybody's. */
function mirror(): string {
  const directory = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : []),
  ];
  const texts = files.filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8'));
  const found = texts.flatMap(
    (text) => /^(?:URIs:|deb\s+(?:\[[^\]]*\]\s+)?)\s*(https?:\S+\/debian)\/?(?:\s|$)/m.exec(text)?.[1] ?? [],
  );
  return found[0] ?? 'http://deb.debian.org/debian';
}

/**
 * A tar of Debian's smallest root filesystem, made by debootstrap once.
 *
 * @throws when debootstrap fails, as it does without a network.
 */
export function debianRoot(): string {
  if (existsSync(cached)) return cached;
  const directory = mkdtempSync(join(tmpdir(), 'debian-root-'));
  try {
    const root = join(directory, 'root');
    execFileSync('debootstrap', ['--variant=minbase', suite, root, mirror()], { stdio: 'ignore' });
    const tar = join(directory, 'root.tar');
    execFileSync('tar', [
      '-C',
      root,
      '--exclude=./dev/*',
      '--exclude=./proc/*',
      '--exclude=./var/cache/apt/*',
      '-cf',
      tar,
      '.',
    ]);
    chmodSync(tar, 0o644);
    renameSync(tar, cached);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return cached;
}
