// What a TypeScript file imports, by a real parser: an `import` in a comment or a string is none.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

/** Paths of all .ts files below `directories` of `root`, relative to it. */
export function typescriptFiles(root, directories) {
  return directories
    .flatMap((directory) => filesBelow(join(root, directory)))
    .map((path) => relative(root, path))
    .sort();
}

function filesBelow(directory) {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

/**
 * The imports of one file: { specifier, target, names, typeOnly }. `target` is the project file that a relative
 * specifier means, else undefined; a dynamic import of something computed has the specifier undefined.
 */
export function importsOf(root, file) {
  const program = parseAst(readFileSync(join(root, file), 'utf8'), { lang: 'ts' });
  const found = [];
  walk(program, (node) => {
    const import_ = describe(node);
    if (import_ === undefined) return;
    const { specifier } = import_;
    const target = specifier?.startsWith('.') ? posix.normalize(posix.join(dirname(file), specifier)) : undefined;
    found.push({ ...import_, target });
  });
  return found;
}

function describe(node) {
  switch (node.type) {
    case 'ImportDeclaration': {
      const names = node.specifiers.map((one) => (one.type === 'ImportSpecifier' ? one.imported.name : '*'));
      const allTypes = node.specifiers.length > 0 && node.specifiers.every((one) => one.importKind === 'type');
      return { specifier: node.source.value, names, typeOnly: node.importKind === 'type' || allTypes };
    }
    case 'ExportNamedDeclaration':
      if (node.source === null || node.source === undefined) return undefined;
      return {
        specifier: node.source.value,
        names: node.specifiers.map((one) => one.local.name),
        typeOnly:
          node.exportKind === 'type' ||
          (node.specifiers.length > 0 && node.specifiers.every((one) => one.exportKind === 'type')),
      };
    case 'ExportAllDeclaration':
      return { specifier: node.source.value, names: ['*'], typeOnly: node.exportKind === 'type' };
    case 'ImportExpression':
      return {
        specifier: node.source.type === 'Literal' ? node.source.value : undefined,
        names: ['*'],
        typeOnly: false,
      };
    case 'TSImportType':
      return { specifier: node.source?.value ?? node.argument?.literal?.value, names: ['*'], typeOnly: true };
    default:
      return undefined;
  }
}

function walk(node, visit) {
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit);
    return;
  }
  if (node === null || typeof node !== 'object') return;
  if (typeof node.type === 'string') visit(node);
  for (const key of Object.keys(node)) if (key !== 'type') walk(node[key], visit);
}
