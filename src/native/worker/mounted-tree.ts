import { posix } from 'node:path';
import { HakoError } from '../../base/errors.ts';
import type { Mount } from '../../contracts/mount.ts';
import type { OverlayTree, PlainTree, TreeMount } from './requests.ts';

/** The tree that a storage driver's one mount shows, by paths below one directory. */
export function plainTree(mounts: readonly Mount[]): PlainTree {
  const [root] = mounts;
  if (root === undefined || mounts.length > 1)
    throw new HakoError(
      'PLUGIN_UNSUPPORTED',
      'Images can be unpacked on a single mount only; this storage driver returned several.',
    );
  const mount = treeMount(root);
  if (mount.kind === 'bind') return { kind: 'directory', base: mount.source, path: '' };
  const { lower, upper } = mount;
  const base = commonDirectory([...lower, ...(upper === null ? [] : [upper.path])]);
  const below = (path: string): string => posix.relative(base, path);
  return {
    kind: 'overlay',
    base,
    lower: lower.map(below),
    upper: upper === null ? null : { path: below(upper.path), work: below(upper.work) },
    userxattr: mount.userxattr,
    options: mount.options ?? [],
  };
}

/** What the worker has to mount for one of a storage driver's mounts. */
export function treeMount({ type, source, target = '', options }: Mount): TreeMount {
  const place = { target, readonly: options.includes('ro') };
  if (type === 'bind') return { kind: 'bind', ...place, source, recursive: options.includes('rbind') };
  if (type !== 'overlay')
    throw new HakoError(
      'PLUGIN_UNSUPPORTED',
      `Files can be worked on in overlay and bind mounts; this storage driver returned one of type '${type}'.`,
    );
  return { kind: 'overlay', ...place, ...overlay(options) };
}

const own = new Set(['lowerdir+', 'upperdir', 'workdir', 'userxattr', 'ro', 'rw', 'volatile']);

function overlay(options: readonly string[]): Omit<OverlayTree, 'kind' | 'base'> {
  const pairs = options.map((option): readonly [string, string] => {
    const at = option.indexOf('=');
    return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
  });
  const values = (key: string): string[] => pairs.filter(([name]) => name === key).map(([, value]) => value);
  const [[upper], [work]] = [values('upperdir'), values('workdir')];
  return {
    lower: values('lowerdir+'),
    upper: upper === undefined || work === undefined ? null : { path: upper, work },
    userxattr: values('userxattr').length > 0,
    options: pairs.filter(([name]) => !own.has(name)),
  };
}

function commonDirectory(paths: readonly string[]): string {
  let common = posix.dirname(paths[0] ?? '/');
  while (common !== '/' && !paths.every((path) => path.startsWith(`${common}/`))) common = posix.dirname(common);
  return common;
}
