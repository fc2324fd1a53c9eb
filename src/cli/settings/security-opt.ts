import { HakoError } from '../../base/errors.ts';
import type { ContainerSettings, JsonValue } from '../../index.ts';
import { readText } from '../files.ts';

type Security = Pick<ContainerSettings, 'seccomp' | 'apparmor' | 'noNewPrivileges' | 'maskedPaths' | 'readonlyPaths'>;

/** Docker's `--security-opt`, with `=` or, as in old days, `:`. @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function securitySettings(words: readonly string[]): Security {
  return Object.assign({}, ...words.map(parseOne));
}

function parseOne(word: string): Security {
  const [, name = '', value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(word) ?? [];
  switch (name) {
    case 'no-new-privileges':
      if (value === undefined || value === 'true') return { noNewPrivileges: true };
      if (value === 'false') return { noNewPrivileges: false };
      break;
    case 'seccomp':
      if (value === 'unconfined') return { seccomp: 'unconfined' };
      // Docker's word for its own profile.
      if (value === 'builtin' || value === 'default') return { seccomp: 'default' };
      if (value !== undefined && value !== '') return { seccomp: readProfile(value) };
      break;
    case 'apparmor':
      if (value !== undefined && value !== '') return { apparmor: value };
      break;
    case 'systempaths':
      if (value === 'unconfined') return { maskedPaths: [], readonlyPaths: [] };
      break;
    // No container of hako's has an SELinux label.
    case 'label':
      if (value === 'disable') return {};
      break;
  }
  throw new HakoError(
    'INVALID_OPTION',
    `--security-opt: '${word}' is not known: write seccomp=FILE, seccomp=unconfined, no-new-privileges, apparmor=PROFILE or systempaths=unconfined.`,
  );
}

function readProfile(path: string): Readonly<Record<string, JsonValue>> {
  const text = readText(path, '--security-opt seccomp');
  try {
    const profile: JsonValue = JSON.parse(text);
    if (typeof profile === 'object' && profile !== null && !Array.isArray(profile)) return profile;
  } catch (cause) {
    throw new HakoError('INVALID_SECCOMP_PROFILE', `'${path}' is no JSON: ${(cause as Error).message}.`, {
      cause,
      path,
    });
  }
  throw new HakoError('INVALID_SECCOMP_PROFILE', `'${path}' holds no profile: it is a JSON object.`, { path });
}
