import { HakoError } from '../../base/errors.ts';

/** Makes a text of a value: an object, or anything that has its JSON. */
export type Template = (value: unknown) => string;

const action = /\{\{\s*(?<json>json\s+)?(?<path>\.(?:[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)?)\s*\}\}/g;

/**
 * The part of Go's templates that people type: `{{.Name}}`, `{{.State.Pid}}`, `{{json .State}}`, `{{.}}`, with `\t` and
 * `\n`. Names of fields are taken in any case, so that what was written for Docker finds its field.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for any other action
 */
export function parseTemplate(text: string): Template {
  const rest = text.replace(action, '');
  if (rest.includes('{{') || rest.includes('}}'))
    throw new HakoError(
      'INVALID_OPTION',
      `--format can be json, or hold {{.Field}} and {{json .Field}}; '${text}' holds something else.`,
    );
  const unescaped = text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  return (value) =>
    unescaped.replace(action, (...match) => {
      const { json, path = '' } = match.at(-1) as { json?: string; path?: string };
      const found = lookUp(value, path);
      return json === undefined ? plain(found) : (JSON.stringify(found) ?? 'null');
    });
}

/** The fields that a template names, in their order. */
export function fieldsOf(text: string): readonly string[] {
  return [...text.matchAll(action)].map(({ groups }) => (groups?.['path'] ?? '').slice(1));
}

function lookUp(value: unknown, path: string): unknown {
  return path
    .split('.')
    .filter((name) => name !== '')
    .reduce((parent: unknown, name) => {
      if (typeof parent !== 'object' || parent === null) throw unknownField(name, parent);
      const key = Object.keys(parent).find((each) => each.toLowerCase() === name.toLowerCase());
      if (key === undefined) throw unknownField(name, parent);
      return (parent as Readonly<Record<string, unknown>>)[key];
    }, value);
}

function unknownField(name: string, parent: unknown): HakoError {
  const known = typeof parent === 'object' && parent !== null ? Object.keys(parent).join(', ') : '';
  return new HakoError(
    'INVALID_OPTION',
    `--format: there is no field '${name}' here${known === '' ? '' : ` (there are: ${known})`}.`,
  );
}

function plain(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
