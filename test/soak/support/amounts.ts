/** `npm run soak` sets it; `npm test` runs the short forms. */
export const isLong = process.env['HAKO_SOAK'] === '1';

/** How much of something a soak does: little in `npm test`, and what the environment says where it says so. */
export function amount(name: string, short: number, long: number): number {
  const given = process.env[`HAKO_SOAK_${name.toUpperCase()}`];
  return given === undefined ? (isLong ? long : short) : Number(given);
}

/** Of this run; HAKO_SOAK_SEED repeats one that failed. */
export const seed = Number(process.env['HAKO_SOAK_SEED'] ?? Date.now() % 1_000_000_000);

/** For the message of whatever fails. */
export const again = `run again with HAKO_SOAK_SEED=${seed}`;

/** Long enough for every soak; vitest has no way to say "without end". */
export const patience = isLong ? 24 * 60 * 60 * 1000 : 180_000;
