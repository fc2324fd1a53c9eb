import { figuresOf, type Sample } from './sample.ts';

export interface Series {
  readonly title: string;
  readonly samples: readonly Sample[];
}

const [width, height, gap, left, top] = [360, 90, 34, 20, 50] as const;

/** A panel for each figure of each series, from 0 up to twice its mean: what is flat is a straight line in the middle. */
export function graph(series: readonly Series[]): string {
  const panels = series.flatMap(({ samples }, column) =>
    figuresOf(samples).map((name, row) => panel(name, samples, column, row)),
  );
  const rows = Math.max(...series.map(({ samples }) => figuresOf(samples).length));
  const [w, h] = [left + series.length * (width + gap), top + rows * (height + gap)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" font-family="sans-serif" font-size="12">`,
    '<title>What a service takes up as it goes on</title>',
    `<rect width="${w}" height="${h}" fill="white"/>`,
    ...series.map(
      ({ title }, column) => `<text x="${left + column * (width + gap)}" y="20" font-size="15">${title}</text>`,
    ),
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel(name: string, samples: readonly Sample[], column: number, row: number): string {
  const [x, y] = [left + column * (width + gap), top + row * (height + gap)];
  const values = samples.map((sample) => sample[name] ?? 0);
  const most = Math.max(1, ...values, (2 * values.reduce((sum, value) => sum + value, 0)) / values.length);
  const last = samples.at(-1)?.done ?? 1;
  const points = samples.map(
    ({ done }, index) =>
      `${(x + (done / last) * width).toFixed(1)},${(y + height - ((values[index] ?? 0) / most) * height).toFixed(1)}`,
  );
  return [
    `<text x="${x}" y="${y - 5}">${name}: ${values[0]} at first, ${values.at(-1)} at the end</text>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" stroke="#bbb"/>`,
    `<polyline points="${points.join(' ')}" fill="none" stroke="#06c" stroke-width="1.5"/>`,
  ].join('\n');
}
