import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogContainerInfo } from '../../src/contracts/log-driver.ts';
import { jsonFileRecord, rotateFiles } from '../../src/plugins/conformance/sink-output.ts';

export { collect, textOf } from '../../src/plugins/conformance/log-subject.ts';

import { logContainer } from './log-container.ts';

export interface TestRecord {
  readonly log: string;
  readonly stream?: 'stdout' | 'stderr';
  readonly time?: bigint;
  readonly attrs?: Readonly<Record<string, string>>;
}

/** A record as Docker's driver writes it. */
export function recordLine({ log, stream = 'stdout', time = 0n, attrs = {} }: TestRecord): string {
  return jsonFileRecord({ log, stream, time }, attrs);
}

/** Writes a json-file log into a directory of its own, and rotates it as the supervisor does. */
export class JsonFileLog implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'hako-log-'));
  readonly container: LogContainerInfo = logContainer({ directory: this.directory });
  readonly path = join(this.directory, `${this.container.id}-json.log`);

  raw(text: string | Uint8Array): void {
    appendFileSync(this.path, text);
  }

  write(...records: readonly (string | TestRecord)[]): void {
    this.raw(
      records.map((record) => recordLine(typeof record === 'string' ? { log: `${record}\n` } : record)).join(''),
    );
  }

  rotate(maxFiles: number): void {
    rotateFiles(this.path, maxFiles);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
