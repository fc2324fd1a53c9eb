import type { AttachOptions } from '../../index.ts';
import type { OptionTable, Values } from '../options.ts';

/** The options of commands that join a container's terminal or streams. */
export const attachOptions = {
  'detach-keys': {
    type: 'text',
    value: 'KEYS',
    help: 'What lets go of the program when it is typed; default ctrl-p,ctrl-q; empty: nothing',
  },
  'sig-proxy': { type: 'flag', help: 'Pass signals on to the program; default true' },
} as const satisfies OptionTable;

/** @param streams - whether stdin is fed; null: nothing is attached */
export function attachmentOf(
  values: Pick<Values<typeof attachOptions>, 'detach-keys'>,
  streams: Pick<AttachOptions, 'stdin' | 'stdout' | 'stderr'> | null,
): AttachOptions {
  if (streams === null) return { stdin: false, stdout: false, stderr: false };
  const keys = values['detach-keys'];
  return { ...streams, ...(keys === undefined ? {} : { detachKeys: keys }) };
}
