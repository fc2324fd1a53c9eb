import { dirname, join, relative } from 'node:path';
import type { PlainTree } from './requests.ts';

/** The nearest directory that holds both, or is one of them. */
export function commonDirectory(a: string, b: string): string {
  let common = a;
  while (common !== '/' && b !== common && !b.startsWith(`${common}/`)) common = dirname(common);
  return common;
}

/** The same tree with paths below another directory, which holds it. */
export function rebased(tree: PlainTree, base: string): PlainTree {
  const below = (path: string): string => relative(base, join(tree.base, path));
  if (tree.kind === 'directory') return { ...tree, base, path: below(tree.path) };
  return {
    ...tree,
    base,
    lower: tree.lower.map(below),
    upper: tree.upper === null ? null : { path: below(tree.upper.path), work: below(tree.upper.work) },
  };
}
