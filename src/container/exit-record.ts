import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isForWant } from '../base/errno.ts';
import type { ExitResult } from '../contracts/events.ts';
import { exitSchema } from './record.ts';

/** The supervisor's file in the container's directory (HAKO_EXIT_RECORD of native/protocol.h). */
const fileName = 'exit.json';

/** What the supervisor wrote when the container ended, or null: it has not, or the record is not whole. */
export function readExitRecord(directory: string): ExitResult | null {
  const text = readText(directory);
  return text === null ? null : parse(text);
}

/** Whether there is a record that does not read: the supervisor writes it whole, so its disk has spoilt it. */
export function isExitRecordDamaged(directory: string): boolean {
  const text = readText(directory);
  return text !== null && parse(text) === null;
}

function readText(directory: string): string | null {
  try {
    return readFileSync(join(directory, fileName), 'utf8');
  } catch (error) {
    // Else a container that has ended well would be taken for lost.
    if (isForWant(error)) throw error;
    return null;
  }
}

function parse(text: string): ExitResult | null {
  try {
    const { exitCode, signal, oomKilled, finishedAt } = exitSchema.parse(JSON.parse(text));
    return { exitCode, signal: signal === 0 ? null : signal, oomKilled, finishedAt: new Date(finishedAt) };
  } catch {
    return null;
  }
}
