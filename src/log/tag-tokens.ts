import { HakoError } from '../base/errors.ts';

/** What stands between `{{` and `}}`. */
export type TagToken =
  | { readonly kind: 'field' | 'name' | 'text'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: '|' | '(' | ')' };

/** A piece of a template: text as it is, or the tokens of an action. */
export type TagPiece = string | readonly TagToken[];

// Each is tried where the last one ended, and none can match in two ways: time stays linear whatever is written.
const patterns = {
  open: /\{\{(?<trim>-(?=\s))?/y,
  comment: /\/\*[\s\S]*?\*\//y,
  close: /(?<trim>\s+-)?\}\}|\s+\}\}/y,
  operand:
    /\s*(?:\.(?<field>[A-Za-z_]\w*)|(?<name>[A-Za-z_]\w*)|(?<number>[+-]?\d{1,9})|`(?<raw>[^`]*)`|(?<quoted>"(?:[^"\\\n]|\\.)*"))(?=[\s|()}]|$)/y,
  sign: /\s*(?<sign>[|()])/y,
};

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` */
export function splitTemplate(template: string): TagPiece[] {
  const pieces: TagPiece[] = [];
  let position = 0;
  let trimStart = false;
  const match = (name: keyof typeof patterns): Record<string, string | undefined> | null => {
    const pattern = patterns[name];
    pattern.lastIndex = position;
    const result = pattern.exec(template);
    if (result === null) return null;
    position = pattern.lastIndex;
    return result.groups ?? {};
  };
  const takeText = (until: number, trimEnd: boolean): void => {
    const text = template.slice(position, until);
    const start = trimStart ? text.trimStart() : text;
    pieces.push(trimEnd ? start.trimEnd() : start);
    position = until;
  };
  const takeAction = (): TagToken[] => {
    const tokens: TagToken[] = [];
    for (;;) {
      const close = match('close');
      if (close !== null) {
        trimStart = close['trim'] !== undefined;
        return tokens;
      }
      const token = match('operand') ?? match('sign');
      if (token === null) {
        const rest = template.slice(position).trim();
        throw new HakoError(
          'INVALID_OPTION',
          rest === ''
            ? `'{{' is not closed by '}}'`
            : `'${rest.slice(0, 50)}' is not understood; fields, functions, texts, whole numbers, '|' and parentheses are`,
        );
      }
      tokens.push(toToken(token));
    }
  };
  for (let start = template.indexOf('{{'); start >= 0; start = template.indexOf('{{', position)) {
    takeText(start, /^\{\{-\s/.test(template.slice(start, start + 4)));
    match('open');
    const isComment = match('comment') !== null;
    const tokens = takeAction();
    if (isComment && tokens.length > 0)
      throw new HakoError('INVALID_OPTION', `a comment stands alone between '{{' and '}}'`);
    if (!isComment) pieces.push(tokens);
  }
  takeText(template.length, false);
  return pieces;
}

function toToken({ field, name, number, raw, quoted, sign }: Record<string, string | undefined>): TagToken {
  if (field !== undefined) return { kind: 'field', value: field };
  if (name !== undefined) return { kind: 'name', value: name };
  if (number !== undefined) return { kind: 'number', value: Number(number) };
  if (raw !== undefined) return { kind: 'text', value: raw };
  if (quoted !== undefined) return { kind: 'text', value: unquote(quoted) };
  return { kind: sign as '|' | '(' | ')' };
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new HakoError(
      'INVALID_OPTION',
      `${quoted} has an escape that is not understood; \\", \\\\, \\n, \\t and \\u0000 are`,
    );
  }
}
