import { HakoError } from '../../base/errors.ts';
import type { ActiveKey, CommittedName } from '../../contracts/storage-driver.ts';

const pattern = /^(?:sha256:)?[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}$/;

/**
 * The directory name of a snapshot: its own name, without the `sha256:` of a chain ID. The pattern keeps it one
 * harmless path component; a leading dot is left to the store's own directories.
 *
 * @throws HakoError `HAKO_ERR_INVALID_NAME`
 */
export function directoryName(name: ActiveKey | CommittedName): string {
  if (!pattern.test(name)) {
    throw new HakoError(
      'INVALID_NAME',
      `'${name.slice(0, 100)}' cannot name a snapshot. Use up to 200 letters, digits, '_', '.', '+' and '-', after 'sha256:' if you like.`,
    );
  }
  return name.replace(/^sha256:/, '');
}
