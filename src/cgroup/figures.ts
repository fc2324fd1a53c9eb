import type { CgroupReader } from './files.ts';

/** The files of one group; null for those that are not there, and for all of a group that is not. */
export async function readAll<const Names extends readonly string[]>(
  directory: string | undefined,
  names: Names,
  files: CgroupReader,
): Promise<{ [K in keyof Names]: string | null }> {
  const texts = await Promise.all(
    names.map((name) => (directory === undefined ? null : files.read(`${directory}/${name}`))),
  );
  return texts as { [K in keyof Names]: string | null };
}

/** Lines of `key value`. */
export function keyed(text: string | null): ReadonlyMap<string, string> {
  return new Map(
    (text ?? '').split('\n').flatMap((line) => {
      const space = line.indexOf(' ');
      return space < 0 ? [] : [[line.slice(0, space), line.slice(space + 1)] as const];
    }),
  );
}

/** null: not there, or not a number, such as "max". */
export function integer(text: string | null | undefined): number | null {
  const digits = text?.trim();
  return digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : null;
}

export function scaled(text: string | undefined, factor: number): number | null {
  const value = integer(text);
  return value === null ? null : value * factor;
}

/** Those of its lines that are numbers. */
export function numbers(fields: ReadonlyMap<string, string>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...fields].flatMap(([key, text]) => {
      const value = integer(text);
      return value === null ? [] : [[key, value]];
    }),
  );
}
