import { posix } from 'node:path';
import { fileSystemUsers } from './file-system-users.mjs';
import { importsOf, typescriptFiles } from './imports.mjs';
import { rules } from './rules.mjs';

/** Every import of src/ and plugins/ that the rules do not allow, and every cycle: one sentence each. */
export function checkDependencies(root) {
  const files = typescriptFiles(root, ['src', 'plugins']);
  const violations = [];
  const graph = new Map(files.map((file) => [file, importsOrNone(root, file, violations)]));
  for (const [file, imports] of graph) {
    for (const import_ of imports) {
      for (const rule of rules) {
        const sentence = rule(file, import_);
        if (sentence !== undefined) violations.push(`${file}: ${sentence}`);
      }
      if (import_.target !== undefined && !graph.has(import_.target)) {
        violations.push(`${file}: there is no '${import_.target}'`);
      }
    }
  }
  for (const cycle of cyclesOf(fileEdges(graph))) violations.push(`a cycle of files: ${cycle.join(' → ')}`);
  for (const cycle of cyclesOf(directoryEdges(graph))) violations.push(`a cycle of directories: ${cycle.join(' → ')}`);
  for (const file of fileSystemUsers.keys()) {
    const imports = graph.get(file) ?? [];
    if (imports.some(({ specifier }) => specifier?.startsWith('node:fs'))) continue;
    violations.push(`${file} is listed in file-system-users.mjs and does not use node:fs: take its line out`);
  }
  return { files: files.length, violations };
}

function importsOrNone(root, file, violations) {
  try {
    return importsOf(root, file);
  } catch (error) {
    violations.push(`${file}: cannot be parsed: ${error.message.split('\n')[0]}`);
    return [];
  }
}

// A type goes away when it is compiled: it can make no cycle at run time.
function fileEdges(graph) {
  const edges = new Map();
  for (const [file, imports] of graph) {
    edges.set(
      file,
      imports.filter(({ target, typeOnly }) => target !== undefined && !typeOnly).map(({ target }) => target),
    );
  }
  return edges;
}

function directoryEdges(graph) {
  const place = (file) => file.split('/').slice(0, 2).join('/');
  const edges = new Map();
  for (const [file, imports] of graph) {
    const from = place(file);
    if (!file.startsWith('src/') || posix.dirname(file) === 'src') continue;
    const targets = imports
      .filter(({ target }) => target?.startsWith('src/') === true)
      .map(({ target }) => place(target));
    edges.set(from, new Set([...(edges.get(from) ?? []), ...targets.filter((target) => target !== from)]));
  }
  return edges;
}

/** One cycle for each strongly connected knot: the first that a walk in depth comes upon. */
function cyclesOf(edges) {
  const done = new Set();
  const cycles = [];
  const visit = (node, path) => {
    const at = path.indexOf(node);
    if (at !== -1) {
      cycles.push([...path.slice(at), node]);
      return;
    }
    if (done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return cycles;
}
