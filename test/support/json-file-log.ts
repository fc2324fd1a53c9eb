import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatRfc3339 } from '../../src/base/rfc3339.ts';
import type { LogContainerInfo, LogEntry } from '../../src/contracts/log-driver.ts';
import { logContainer } from './log-container.ts';

export interface TestRecord {
  readonly log: string;
  readonly stream?: 'stdout' | 'stderr';
  readonly time?: bigint;
  readonly attrs?: Readonly<Record<string, string>>;
}

/** A record as Docker's driver writes it, for texts that need no escape but JSON's own. */
export function recordLine({ log, stream = 'stdout', time = 0n, attrs }: TestRecord): string {
  const attributes = attrs === undefined ? '' : `,"attrs":${JSON.stringify(attrs)}`;
  return `{"log":${JSON.stringify(log)},"stream":"${stream}"${attributes},"time":"${formatRfc3339(time, 'short')}"}\n`;
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
    const fresh = `${this.path}.new`;
    writeFileSync(fresh, '');
    for (let index = maxFiles - 1; index > 0; index--) {
      for (const suffix of ['', '.gz']) {
        const name = `${this.path}.${index}${suffix}`;
        if (!existsSync(name)) continue;
        if (index === maxFiles - 1) unlinkSync(name);
        else renameSync(name, `${this.path}.${index + 1}${suffix}`);
      }
    }
    if (maxFiles > 1) renameSync(this.path, `${this.path}.1`);
    renameSync(fresh, this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function textOf(entry: LogEntry): string {
  return Buffer.from(entry.line).toString();
}

export async function collect(entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}
