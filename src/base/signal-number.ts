import { constants } from 'node:os';
import { HakoError } from './errors.ts';

const names: Readonly<Record<string, number>> = constants.signals;
const highest = 64;

/**
 * The number of a signal, given as a number or by name, with or without `SIG`, in any case, as `docker kill` takes it.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION`
 */
export function signalNumber(signal: string | number): number {
  const text = String(signal).trim();
  const number = /^\d+$/.test(text)
    ? Number(text)
    : (realTime(text) ?? names[`SIG${text.toUpperCase().replace(/^SIG/, '')}`]);
  if (number === undefined || number < 1 || number > highest) {
    throw new HakoError(
      'INVALID_OPTION',
      `'${text}' is not a signal: write a name such as SIGTERM, or a number from 1 to ${highest}.`,
    );
  }
  return number;
}

/** `RTMIN+3`, `RTMAX-1`: signal(7), "Real-time signals", with the C libraries' SIGRTMIN. */
function realTime(text: string): number | undefined {
  const match = /^(?:SIG)?RT(?<end>MIN|MAX)(?<offset>[+-]\d{1,2})?$/i.exec(text)?.groups;
  if (match === undefined) return undefined;
  return (match['end']?.toUpperCase() === 'MIN' ? 34 : highest) + Number(match['offset'] ?? 0);
}
