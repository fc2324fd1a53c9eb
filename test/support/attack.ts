import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { UnpackRequest } from '../../src/native/worker.ts';
import { unpack } from '../native/support/worker-process.ts';
import { Canary } from './canary.ts';
import { extractNaively } from './naive-extractor.ts';
import { type TarEntry, tar } from './tar.ts';

/** Where an attack takes place: the root that is unpacked into, and beside it what must not be touched. */
export interface Box {
  readonly root: string;
  /** Absolute path of the canary; `../outside` from the root. */
  readonly outside: string;
}

export interface Attack {
  readonly name: string;
  readonly entries: (box: Box) => readonly TarEntry[];
  /** What the layers below have put into the root. */
  readonly before?: (box: Box) => void;
  readonly request?: Partial<UnpackRequest>;
  /** Refused with `HAKO_ERR_INVALID_ARCHIVE` and these words; otherwise it is unpacked, inside the root. */
  readonly refused?: RegExp;
  /** What must hold in the root afterwards. */
  readonly check?: (box: Box) => void;
  /** For attacks that are not after the canary: whether they have reached what they are after. */
  readonly reached?: (box: Box) => boolean;
  /** What a reader that thinks itself careful makes of an entry before it follows names; the naive one does without. */
  readonly misread?: (entry: TarEntry) => TarEntry;
}

class Arena implements Disposable {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'hako-attack-'));
  readonly root = join(this.#scratch, 'box/root');
  readonly outside = join(this.#scratch, 'box/outside');
  readonly canary: Canary;
  readonly #identity: bigint;

  constructor(attack: Attack) {
    mkdirSync(this.root, { recursive: true });
    this.canary = new Canary(this.outside);
    attack.before?.(this);
    this.#identity = statSync(this.root, { bigint: true }).ino;
  }

  /** Whether the canary was touched, or the root itself taken away. */
  breach(attack: Attack): string | undefined {
    if (attack.reached?.(this) === true) return 'the attack has reached what it is after';
    if (!existsSync(this.root) || statSync(this.root, { bigint: true }).ino !== this.#identity)
      return 'the root was replaced';
    return this.canary.damage;
  }

  [Symbol.dispose](): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/**
 * Runs an attack against hako, which must stand, as it unpacks layers and as it copies into containers, and against the naive
 * extractor, which must fall.
 */
export async function standsAgainst(attack: Attack): Promise<void> {
  await resists(attack, {});
  await resists(attack, { temporary: '.hako-aside' });

  using control = new Arena(attack);
  const entries = attack.entries(control);
  extractNaively(control.root, attack.misread === undefined ? entries : entries.map(attack.misread));
  expect(control.breach(attack), 'the positive control: the naive extractor must be breached').toBeDefined();
}

async function resists(attack: Attack, how: Partial<UnpackRequest>): Promise<void> {
  using arena = new Arena(attack);
  const result = unpack(tar(...attack.entries(arena)), arena.root, { ...attack.request, ...how });
  if (attack.refused !== undefined) {
    await expect(result).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_ARCHIVE',
      message: expect.stringMatching(attack.refused),
    });
  } else {
    await result;
  }
  expect(arena.breach(attack)).toBeUndefined();
  attack.check?.(arena);
}
