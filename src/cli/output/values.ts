import { parseTemplate } from './template.ts';

/** The option of commands that print whole values. */
export const valueFormat = {
  format: { type: 'text', short: 'f', value: 'FORMAT', help: 'json, or a template such as {{.state.status}}' },
} as const;

/** The option of commands that print lists. */
export const listFormat = {
  format: {
    type: 'text',
    value: 'FORMAT',
    help: 'table, json (a line for each), or a template such as {{.ID}}',
  },
} as const;

/** @returns what makes a line or more of a value; undefined when no format was asked for */
export function valuePrinter(format: string | undefined): ((value: unknown) => string) | undefined {
  if (format === undefined) return undefined;
  if (format === 'json') return (value) => `${JSON.stringify(value)}\n`;
  const template = parseTemplate(format);
  return (value) => `${template(value)}\n`;
}
