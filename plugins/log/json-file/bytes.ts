export const newline = 0x0a;

/** Whether `text` stands in `bytes` at `start`, and ends no later than `end`. */
export function startsWith(bytes: Buffer, start: number, end: number, text: Buffer): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

/** A power cut, or a file cut off under a writer without O_APPEND, leaves a hole of NUL bytes before the next record. */
export function leadingNuls(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === 0) at++;
  return at - start;
}
