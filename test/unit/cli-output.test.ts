import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { listPrinter } from '../../src/cli/output/list.ts';
import { formatTable } from '../../src/cli/output/table.ts';
import { parseTemplate } from '../../src/cli/output/template.ts';
import { formatAge, formatBytes } from '../../src/cli/output/units.ts';

const columns = [
  { field: 'ID', heading: 'CONTAINER ID' },
  { field: 'Command', heading: 'COMMAND', flexible: true },
  { field: 'Labels', heading: 'LABELS', hidden: true },
  { field: 'Status', heading: 'STATUS', colour: () => 'red' as const },
] as const;
const rows = [{ ID: 'abc', Command: 'a command that is long', Labels: 'x=y', Status: 'Up' }];
const terminal = (columns: number, depth = 1) =>
  Object.assign(new PassThrough(), {
    isTTY: true,
    columns,
    getColorDepth: () => depth,
  }) as unknown as NodeJS.WriteStream;
const pipe = { isTTY: false } as NodeJS.WriteStream;

describe('tables', () => {
  it('are padded, and end where their text does', () => {
    expect(formatTable([{ heading: 'A' }, { heading: 'LONG' }], [['value', 'b']])).toBe('A      LONG\nvalue  b\n');
    expect(formatTable([{ heading: 'A' }, { heading: 'B' }], [])).toBe('A  B\n');
    expect(formatTable([{ heading: 'A' }, { heading: 'B' }], [['x', '']])).toBe('A  B\nx\n');
  });

  it('are cut to fit where they may be', () => {
    const [heading = '', line = ''] = listPrinter(columns, { format: undefined, stdout: terminal(32) })(rows).split(
      '\n',
    );
    expect(heading).toBe('CONTAINER ID  COMMAND     STATUS');
    expect(line).toMatch(/^abc {11}a command… {2}/);
    expect(listPrinter(columns, { format: undefined, stdout: pipe })(rows)).toContain('a command that is long');
    expect(listPrinter(columns, { format: undefined, stdout: terminal(32), cut: false })(rows)).toContain(
      'a command that is long',
    );
  });

  it('have colours where the terminal has', () => {
    const line = (depth: number) => listPrinter(columns, { format: undefined, stdout: terminal(80, depth) })(rows);
    expect(line(8)).toContain('\u001b[31mUp\u001b[39m\n');
    expect(line(1)).not.toContain('\u001b');
  });

  it('show no control characters of others', () => {
    expect(formatTable([{ heading: 'A' }], [['\u001b[31mred\n']])).toBe('A\n\\x1b[31mred\\x0a\n');
  });
});

describe('--format', () => {
  const print = (format: string | undefined) => listPrinter(columns, { format, stdout: pipe })(rows);

  it('gives tables, templates and JSON', () => {
    expect(print('table')).toBe(print(undefined));
    expect(print(undefined)).toBe(
      'CONTAINER ID  COMMAND                 STATUS\nabc           a command that is long  Up\n',
    );
    expect(JSON.parse(print('json'))).toEqual(rows[0]);
    expect(print('{{.ID}}\\t{{ .Status }}')).toBe('abc\tUp\n');
    expect(print('table {{.Status}}\\t{{.Labels}}')).toBe('STATUS  LABELS\nUp      x=y\n');
    expect(print('plain')).toBe('plain\n');
  });

  it('finds fields in any case, and tells of those that there are not', () => {
    const value = { state: { exitCode: 3, list: [1] }, at: new Date(0), none: null };
    expect(parseTemplate('{{.State.ExitCode}} {{json .state}} {{.At}} [{{.none}}] {{.state.list}}')(value)).toBe(
      '3 {"exitCode":3,"list":[1]} 1970-01-01T00:00:00.000Z [] [1]',
    );
    expect(parseTemplate('{{json .}}')(3)).toBe('3');
    expect(() => parseTemplate('{{.State.Pid}}')(value)).toThrow(
      /there is no field 'Pid' here \(there are: exitCode, list\)/,
    );
    expect(() => parseTemplate('{{.None.More}}')(value)).toThrow(/no field 'More'/);
    expect(() => parseTemplate('{{if .ID}}')).toThrow(/holds something else/);
    expect(() => parseTemplate('{{.ID')).toThrow(/holds something else/);
  });
});

describe('figures', () => {
  it('of sizes are as Docker prints them', () => {
    expect([0, 999, 1000, 123_456, 7_500_000_000].map((bytes) => formatBytes(bytes))).toEqual([
      '0B',
      '999B',
      '1kB',
      '123kB',
      '7.5GB',
    ]);
    expect([1023, 1536, 512 * 2 ** 20, 23.54 * 2 ** 30].map((bytes) => formatBytes(bytes, 'binary'))).toEqual([
      '1023B',
      '1.5KiB',
      '512MiB',
      '23.54GiB',
    ]);
  });

  it('of ages take the largest unit', () => {
    const now = new Date('2026-01-31T12:00:00Z');
    const ago = (seconds: number) => formatAge(new Date(now.getTime() - seconds * 1000), now);
    expect([-5, 1, 59, 60, 7200, 86_400 * 8, 86_400 * 400].map(ago)).toEqual([
      ...['0 seconds', '1 second', '59 seconds', '1 minute', '2 hours', '1 week', '1 year'],
    ]);
  });
});
