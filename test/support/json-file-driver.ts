import { open } from 'node:fs/promises';
import { JsonFileDriver } from '../../plugins/log/json-file/driver.ts';
import { jsonFile } from '../../plugins/log/json-file/index.ts';
import { normalize } from '../../plugins/log/json-file/options.ts';
import { raceSignal } from '../../src/base/signal.ts';
import type { NativeServices } from '../../src/contracts/native-services.ts';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';

/** One lock for each path, of this process alone: what flock(2) is to several. */
export class ProcessLocks {
  readonly #held = new Map<string, Promise<unknown>>();

  readonly lock: NativeServices['lock'] = async (path, { wait = false, signal } = {}) => {
    await (await open(path, 'a')).close();
    const before = this.#held.get(path);
    if (before !== undefined && !wait) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = (before ?? Promise.resolve()).then(() => promise);
    this.#held.set(path, mine);
    try {
      await raceSignal(before ?? Promise.resolve(), signal);
    } catch (error) {
      resolve();
      throw error;
    }
    return {
      [Symbol.asyncDispose]: async () => {
        if (this.#held.get(path) === mine) this.#held.delete(path);
        resolve();
      },
    };
  };
}

export interface TestDriver {
  readonly driver: JsonFileDriver;
  readonly warnings: string[];
  readonly locks: ProcessLocks;
  readonly abort: AbortController;
}

/** A json-file driver that needs no runtime. */
export function jsonFileDriver(options: object = {}, locks = new ProcessLocks()): TestDriver {
  const warnings: string[] = [];
  const abort = new AbortController();
  const native = { lock: locks.lock } as NativeServices;
  const context = {
    native,
    signal: abort.signal,
    warn: (message: string, cause?: unknown) => void warnings.push(`${message} ${String(cause)}`),
  };
  return {
    driver: new JsonFileDriver(context, normalize(parsePluginOptions(jsonFile, options))),
    warnings,
    locks,
    abort,
  };
}
