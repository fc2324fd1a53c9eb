import { readFileSync } from 'node:fs';

/** The package's own description lies two directories above the compiled file, and above the source. */
export function packageVersion(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'libhako' && version !== undefined) return version;
    } catch {
      // Not there: this file runs from dist/, one level deeper.
    }
  }
  return 'unknown';
}
