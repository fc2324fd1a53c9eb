const prefixes = {
  decimal: { base: 1000, units: ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], digits: 3 },
  binary: { base: 1024, units: ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], digits: 4 },
} as const;

/** As Docker prints sizes: three digits of decimal units for what is stored, four of binary ones for memory. */
export function formatBytes(bytes: number, kind: keyof typeof prefixes = 'decimal'): string {
  const { base, units, digits } = prefixes[kind];
  let unit = 0;
  let value = bytes;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}

const spans: readonly [seconds: number, name: string][] = [
  [86_400 * 365, 'year'],
  [86_400 * 30, 'month'],
  [86_400 * 7, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** `3 minutes`, in the largest unit that fits. */
export function formatAge(since: Date, now = new Date()): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 1000));
  const [size, name] = spans.find(([span]) => seconds >= span) ?? [1, 'second'];
  const count = Math.floor(seconds / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** The twelve digits of an id that people are shown; a name as it is. */
export function shortId(idOrName: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(idOrName) ? idOrName.replace('sha256:', '').slice(0, 12) : idOrName;
}
