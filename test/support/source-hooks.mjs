// Lets a plain `node` run the sources, as vitest does: for tests that need processes of their own to kill or to race.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'rolldown/utils';

const root = new URL('../../', import.meta.url);
const names = [
  [/^libhako$/, 'src/index.ts'],
  [/^libhako\/plugin$/, 'src/plugin.ts'],
  [/^libhako\/plugins\/([a-z0-9-]+)\/([a-z0-9-]+)$/, 'plugins/$1/$2/index.ts'],
];

registerHooks({
  resolve(specifier, context, next) {
    const found = names.find(([pattern]) => pattern.test(specifier));
    return next(found === undefined ? specifier : new URL(specifier.replace(...found), root).href, context);
  },
  load(url, context, next) {
    if (!url.startsWith(root.href) || !url.endsWith('.ts')) return next(url, context);
    const path = fileURLToPath(url);
    const { code, errors } = transformSync(path, readFileSync(path, 'utf8'), { decorator: { legacy: true, emitDecoratorMetadata: true } });
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    return { format: 'module', source: code, shortCircuit: true };
  },
});
