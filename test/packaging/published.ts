import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

export function run(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): string {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

/** `npm test` has built everything; somebody who runs one file may not have. */
export function build(): void {
  if (process.env['HAKO_BUILT'] !== '1') run('npm', ['run', 'build'], projectRoot);
}

/** `npm pack` of a folder; gives the tarball's path. */
export function pack(folder: string, into: string): string {
  mkdirSync(into, { recursive: true });
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', into], folder));
  return join(into, packed.filename);
}

export function filesIn(tarball: string): string[] {
  return run('tar', ['-tzf', tarball], '/')
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));
}

/** The packages that libhako needs at run time, as `npm ci` installed them here. */
export function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8'));
  return Object.entries(
    lock.packages as Record<string, { dev?: boolean; optional?: boolean; peer?: boolean; devOptional?: boolean }>,
  )
    .filter(([path, { dev, optional, peer, devOptional }]) => path !== '' && !dev && !optional && !peer && !devOptional)
    .map(([path]) => join(projectRoot, path));
}

/**
 * A project somewhere else that has installed the tarballs, and nothing from any network: what libhako depends on is
 * packed from this clone's own node_modules.
 */
export function installedProject(directory: string, tarballs: readonly string[]): string {
  const project = join(directory, 'project');
  const dependencies = productionPackages().map((path) => pack(path, join(directory, 'dependencies')));
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'a-user', private: true, type: 'module' }));
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...tarballs, ...dependencies], project);
  return project;
}

export function installedNames(project: string): string[] {
  return readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
}
