// Writes docs/cli.md from the table of commands that `hako` itself works by. Build first.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { reference } from '../dist/src/cli/reference.js';

writeFileSync(fileURLToPath(new URL('../docs/cli.md', import.meta.url)), reference());
