// Fails on an import that turns back: see scripts/dependencies/rules.mjs.
import { fileURLToPath } from 'node:url';
import { checkDependencies } from './dependencies/check.mjs';

const { files, violations } = checkDependencies(fileURLToPath(new URL('..', import.meta.url)));
for (const violation of violations) console.error(violation);
console.log(`dependencies: ${files} files, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;
