import { HakoError } from '../../base/errors.ts';
import { type Column, columns, fullFormat, userFormat } from './columns.ts';

/**
 * Which columns `ps` would show for its arguments: `-ef`, `aux`, and `-o` (or `o`, `-eo`, `axo`) with names and titles of one's own.
 *
 * @throws HakoError `HAKO_ERR_INVALID_OPTION` for what is not understood
 */
export function columnsOf(psArgs: string): readonly Column[] {
  const words = psArgs.trim().split(/\s+/).filter(Boolean);
  const chosen: Column[] = [];
  let format: readonly Column[] | null = null;
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const list = /^(?:-?[eaxA]*o)(.*)$/.exec(word)?.[1];
    if (list !== undefined) chosen.push(...named(list === '' ? (words.shift() ?? '') : list));
    else if (/^-[eA]*f$/.test(word)) format = fullFormat;
    else if (/^-?a?x?ux?$/.test(word) || word === 'uax') format = userFormat;
    else if (!/^(?:-[eA]|-?ax|-?[ax])$/.test(word)) throw unknown(`'${word.slice(0, 100)}'`);
  }
  return chosen.length > 0 ? chosen : (format ?? fullFormat);
}

/** `pid,user=WHO`; a title takes the rest of the list, as in ps(1). */
function named(list: string): readonly Column[] {
  const [names = '', ...title] = list.split('=');
  const found = names.split(',').map((name) => {
    const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) throw unknown(`the column '${name.slice(0, 100)}'`);
    return column;
  });
  return title.length === 0
    ? found
    : found.map((column, at) => (at === found.length - 1 ? { ...column, title: title.join('=') } : column));
}

function unknown(what: string): HakoError {
  return new HakoError(
    'INVALID_OPTION',
    `psArgs: ${what} is not known; write '-ef', 'aux', or '-o' and some of ${Object.keys(columns).join(', ')}.`,
  );
}
