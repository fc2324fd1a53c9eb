// Lets a plain `node` run the sources, as vitest does: for tests that need processes of their own to kill or to race.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'rolldown/utils';

const root = new URL('../../', import.meta.url);
const names = [
  [/^libhako$/, 'src/index.ts'],
  [/^libhako\/testing$/, 'src/testing.ts'],
  [/^libhako\/plugin$/, 'src/plugin.ts'],
  [/^libhako\/plugins\/([a-z0-9-]+)\/([a-z0-9-]+)$/, 'plugins/$1/$2/index.ts'],
];

// What transformed decorators call. vitest brings a package for it that plain node does not find; tslib has the same.
const helpers = { decorate: '__decorate', decorateParam: '__param', decorateMetadata: '__metadata' };
const tslib = import.meta.resolve('tslib').replace('tslib.js', 'tslib.es6.mjs');

function helperModule(specifier) {
  const name = /^@oxc-project\/runtime\/helpers\/(\w+)$/.exec(specifier)?.[1];
  return name === undefined ? undefined : `data:text/javascript,export { ${helpers[name]} as default } from '${tslib}'`;
}

registerHooks({
  resolve(specifier, context, next) {
    const helper = helperModule(specifier);
    if (helper !== undefined) return { url: helper, shortCircuit: true };
    const found = names.find(([pattern]) => pattern.test(specifier));
    return next(found === undefined ? specifier : new URL(specifier.replace(...found), root).href, context);
  },
  load(url, context, next) {
    if (!url.startsWith(root.href) || !url.endsWith('.ts')) return next(url, context);
    const path = fileURLToPath(url);
    const { code, errors } = transformSync(path, readFileSync(path, 'utf8'), {
      decorator: { legacy: true, emitDecoratorMetadata: true },
    });
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    return { format: 'module', source: code, shortCircuit: true };
  },
});
