import type { z } from 'zod';
import { HakoError } from '../base/errors.ts';
import { maxDocumentBytes } from './schema.ts';

const maxDepth = 32;

/**
 * Reads a JSON document of an image. Its bytes are hostile: size and nesting are bounded before anything is built
 * of them, and only what the schema names is kept.
 *
 * @param what - how the document is called in the error: "image manifest sha256:…".
 * @throws HakoError `HAKO_ERR_INVALID_IMAGE` naming the field that is wrong; `HAKO_ERR_ARCHIVE_LIMIT_EXCEEDED` when it is too large.
 */
export function parseDocument<Schema extends z.ZodType>(
  schema: Schema,
  content: Uint8Array,
  what: string,
): z.output<Schema> {
  return validateDocument(schema, parseJson(content, what), what);
}

/** @throws HakoError as {@link parseDocument} does. */
export function parseJson(content: Uint8Array, what: string): unknown {
  if (content.byteLength > maxDocumentBytes) {
    throw new HakoError(
      'ARCHIVE_LIMIT_EXCEEDED',
      `The ${what} has ${content.byteLength} bytes; hako reads at most ${maxDocumentBytes}.`,
    );
  }
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(content);
    if (nestingOf(json) > maxDepth) throw new SyntaxError(`more than ${maxDepth} levels of nesting`);
    return JSON.parse(json);
  } catch (cause) {
    throw new HakoError(
      'INVALID_IMAGE',
      `The ${what} is not sound JSON (${reasonOf(cause)}). The image is damaged or was made wrongly: fetch or build it again.`,
      { cause },
    );
  }
}

/** @throws HakoError `HAKO_ERR_INVALID_IMAGE` */
export function validateDocument<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const sentences = result.error.issues.slice(0, 5).map((issue) => `${fieldName(issue.path)}: ${issue.message}`);
  throw new HakoError(
    'INVALID_IMAGE',
    `The ${what} does not follow the OCI image specification: ${sentences.join('; ').slice(0, 1000)}.`,
    { cause: result.error },
  );
}

function fieldName(path: readonly PropertyKey[]): string {
  return path.map((part) => String(part).slice(0, 60)).join('.') || 'document';
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.slice(0, 120) : 'unreadable';
}

function nestingOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < json.length; index++) {
    const character = json[index];
    if (inString) {
      if (character === '\\') index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return deepest;
}
