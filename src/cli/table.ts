/** Rows in columns two spaces apart, with headings, as `docker ps` prints them. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [headings, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units with three digits, as Docker prints sizes. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(3))}${units[unit]}`;
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
