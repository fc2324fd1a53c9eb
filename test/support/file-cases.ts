import { execFileSync } from 'node:child_process';
import type { Container, Runtime } from 'libhako';
import { expect } from 'vitest';
import { busyboxImage } from './test-runtime.ts';

/** All of a stream. */
export async function whole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What GNU tar reads in an archive: `<mode> <uid>/<gid> <name>` each, with ` -> ` or ` link to ` and a target. */
export function tarList(archive: Buffer): readonly string[] {
  return execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive, encoding: 'utf8' })
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^(\S+) (\S+) +\S+ \S+ \S+ /, '$1 $2 '));
}

/** The content of one entry of an archive. */
export function tarEntry(archive: Buffer, name: string): string {
  return execFileSync('tar', ['-xOf', '-', name], { input: archive, encoding: 'utf8' });
}

/** A file's content as `copyOut` gives it. */
export async function contentOf(container: Container, path: string): Promise<string> {
  const { stat, stream } = await container.copyOut(path);
  return tarEntry(await whole(stream), stat.name);
}

/** The image has no links for these. */
const applets = ['chmod', 'chown', 'cp', 'mv', 'rmdir', 'mknod', 'mkfifo', 'truncate', 'setfattr', 'sync']
  .map((name) => `${name}() { busybox ${name} "$@"; }`)
  .join('\n');

/** Runs a script in a container. */
export async function inside(container: Container, script: string): Promise<void> {
  const { exitCode, stderr } = await container.exec(['sh', '-euc', `${applets}\n${script}`]);
  expect(`${exitCode} ${stderr}`).toBe('0 ');
}

/** A container that sleeps, in which a script has been run. */
export async function prepared(
  runtime: Runtime,
  script: string,
  options: Partial<Parameters<Runtime['containers']['create']>[0]> = {},
): Promise<Container> {
  const container = await runtime.containers.create({ image: busyboxImage, command: ['sleep', '1000'], ...options });
  await container.start();
  await inside(container, script);
  return container;
}
