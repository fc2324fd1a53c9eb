import { visible } from './visible.ts';

export interface TableColumn {
  readonly heading: string;
  /** May be cut where a line would not fit. */
  readonly flexible?: boolean;
}

export interface TableOptions {
  /** Of the terminal; without one nothing is cut. */
  readonly width?: number;
  /** Changes how a padded cell looks, never its width. */
  readonly paint?: (cell: string, column: number, row: number) => string;
}

const gap = 2;
const narrowest = 8;

/** Rows in columns two spaces apart, with headings, as `docker ps` prints them. */
export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  { width, paint = (cell) => cell }: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((_, column) => visible(row[column] ?? '')));
  const wanted = columns.map(({ heading }, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const widths = fitted(columns, wanted, width);
  const lines = [columns.map(({ heading }) => heading), ...cells];
  return lines
    .map(
      (line, index) => `${formatLine(line, widths, (cell, at) => (index === 0 ? cell : paint(cell, at, index - 1)))}\n`,
    )
    .join('');
}

function formatLine(
  cells: readonly string[],
  widths: readonly number[],
  paint: (cell: string, column: number) => string,
): string {
  const last = cells.findLastIndex((cell) => cell !== '');
  return cells
    .slice(0, last + 1)
    .map((cell, column) => {
      const width = widths[column] ?? 0;
      const short = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
      return `${paint(short, column)}${column === last ? '' : ' '.repeat(width - short.length + gap)}`;
    })
    .join('');
}

/** Takes from the widest column that may be cut, until a line fits or nothing more can be taken. */
function fitted(
  columns: readonly TableColumn[],
  wanted: readonly number[],
  width: number | undefined,
): readonly number[] {
  const widths = [...wanted];
  if (width === undefined) return widths;
  const excess = () => widths.reduce((sum, each) => sum + each + gap, -gap) - width;
  while (excess() > 0) {
    const [widest = -1] = columns
      .flatMap(({ flexible }, index) => (flexible === true && (widths[index] ?? 0) > narrowest ? [index] : []))
      .sort((one, other) => (widths[other] ?? 0) - (widths[one] ?? 0));
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}
