import { styleText } from 'node:util';
import { formatTable, type TableColumn } from './table.ts';
import { fieldsOf, parseTemplate } from './template.ts';

/** A column that a list can show; the fields have Docker's names, for `--format`. */
export interface ListColumn<Field extends string = string> extends TableColumn {
  readonly field: Field;
  /** Only for those who ask for it by name, and in JSON. */
  readonly hidden?: boolean;
  readonly colour?: (cell: string) => 'green' | 'yellow' | 'red' | undefined;
}

export type Row<Field extends string = string> = Readonly<Record<Field, string>>;

/** Renders rows as was asked for; made before there are any, so that a mistake is told at once. */
export type ListPrinter<Field extends string> = (rows: readonly Row<Field>[]) => string;

/** Which containers to list. @public */
export interface ListOptions {
  /** Of `--format`: nothing, `table`, `table TEMPLATE`, `json`, or a template. */
  readonly format: string | undefined;
  readonly stdout: NodeJS.WriteStream;
  /** Cells may be cut so that a line fits the terminal. Default true. */
  readonly cut?: boolean;
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a format that is none */
export function listPrinter<Field extends string>(
  columns: readonly ListColumn<Field>[],
  { format = 'table', stdout, cut = true }: ListOptions,
): ListPrinter<Field> {
  if (format === 'json') return (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const isTable = format === 'table' || format.startsWith('table ');
  if (!isTable) {
    const template = parseTemplate(format);
    return (rows) => rows.map((row) => `${template(row)}\n`).join('');
  }
  const shown = format === 'table' ? columns.filter(({ hidden }) => hidden !== true) : null;
  const width = cut && stdout.isTTY ? { width: stdout.columns } : {};
  if (shown === null) return templateTable(columns, format.slice('table '.length), width);
  return (rows) =>
    formatTable(
      shown,
      rows.map((row) => shown.map(({ field }) => row[field])),
      { ...width, paint: (cell, column) => coloured(cell, shown[column]?.colour?.(cell), stdout) },
    );
}

/** `table {{.ID}}\t{{.Names}}`: a column for each part, headed by its fields. */
function templateTable<Field extends string>(
  columns: readonly ListColumn<Field>[],
  text: string,
  width: { readonly width?: number },
): ListPrinter<Field> {
  const parts = text.split(/\t|\\t/);
  const templates = parts.map(parseTemplate);
  const headings = parts.map((part) => ({
    heading: fieldsOf(part)
      .map(
        (name) =>
          columns.find(({ field }) => field.toLowerCase() === name.toLowerCase())?.heading ?? name.toUpperCase(),
      )
      .join(' '),
    flexible: true,
  }));
  return (rows) =>
    formatTable(
      headings,
      rows.map((row) => templates.map((template) => template(row))),
      width,
    );
}

/** Only on a terminal that has colours, and not with NO_COLOR. */
function coloured(cell: string, colour: 'green' | 'yellow' | 'red' | undefined, stdout: NodeJS.WriteStream): string {
  return colour === undefined || !stdout.isTTY ? cell : styleText(colour, cell, { stream: stdout });
}
