import { HakoError } from '../base/errors.ts';

/** Docker's. */
export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** The control characters besides those of letters. */
const others: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/**
 * The bytes of a sequence of keys, such as `ctrl-p,ctrl-q` or `ctrl-x,x`; none for the empty text.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 */
export function parseDetachKeys(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  return Buffer.from(
    text.split(',').map((key) => {
      const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
      const byte = control === undefined ? plain(key) : controlByte(control);
      if (byte !== undefined) return byte;
      throw new HakoError(
        'INVALID_OPTION',
        `detachKeys: '${key.slice(0, 20)}' is no key. Write single letters, or ctrl- and one of a–z, @, [, \\, ], ^, _; with commas between.`,
      );
    }),
  );
}

function plain(key: string): number | undefined {
  return /^[\x20-\x7e]$/.test(key) ? key.charCodeAt(0) : undefined;
}

function controlByte(key: string): number | undefined {
  return /^[a-z]$/.test(key) ? key.charCodeAt(0) - 96 : others[key];
}

/** Looks for the keys in what is typed. What may be their beginning is held back until it is known. */
export class DetachKeys {
  readonly #keys: Buffer;
  #held = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What of it is for the program; after the keys nothing is. */
  take(chunk: Uint8Array): { readonly data: Buffer; readonly found: boolean } {
    const bytes = Buffer.concat([this.end(), chunk]);
    const at = bytes.indexOf(this.#keys);
    if (at >= 0) return { data: bytes.subarray(0, at), found: true };
    this.#held = this.#beginningAtEnd(bytes);
    return { data: bytes.subarray(0, bytes.length - this.#held), found: false };
  }

  /** What is held back, when nothing more comes. */
  end(): Buffer {
    const held = this.#keys.subarray(0, this.#held);
    this.#held = 0;
    return held;
  }

  #beginningAtEnd(bytes: Buffer): number {
    for (let length = Math.min(this.#keys.length - 1, bytes.length); length > 0; length--)
      if (bytes.subarray(bytes.length - length).equals(this.#keys.subarray(0, length))) return length;
    return 0;
  }
}
