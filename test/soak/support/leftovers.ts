import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { takeSnapshot } from '../../support/leak-check.ts';

/** What is left of a root's containers on this machine, whoever else works on it: each line names one thing. */
export function leftovers(root: string, ids: readonly string[]): string[] {
  const known = new Set(ids);
  const { mount = [], cgroup = [] } = takeSnapshot();
  return [
    ...[...mount].filter((line) => line.includes(root)).map((line) => `mount ${line}`),
    ...[...cgroup].filter((path) => known.has(basename(path))).map((path) => `cgroup ${path}`),
    ...processesOf(root).map((line) => `process ${line}`),
    ...filesOf(root).map((path) => `file ${path}`),
  ];
}

/** A supervisor holds the container's directory, and lives as long as anything of the container. */
export function processesOf(root: string): string[] {
  return names('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => names(`/proc/${pid}/fd`).some((fd) => isWithin(root, link(`/proc/${pid}/fd/${fd}`))))
    .map((pid) => `${pid} ${text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()}`);
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function filesOf(root: string): string[] {
  return [
    'containers',
    'claims',
    'trash',
    'content/ingest',
    'content/blobs/sha256',
    'overlay2/.tmp',
    'overlay2/.trash',
  ].flatMap((place) => names(join(root, place)).map((name) => `${place}/${name}`));
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
