import fc from 'fast-check';
import { HakoError } from 'libhako';
import { interfaces } from './api-report.ts';
import { junk, number, text } from './arbitrary-of.ts';

/** What a signal that was aborted gives as the reason. */
const noLonger = new HakoError('INVALID_OPTION', 'It is no longer wanted.');

const signal = fc.oneof(
  fc.constantFrom(AbortSignal.abort(noLonger), AbortSignal.abort()),
  // What would go on for ever ends all the same, when it has begun.
  fc.constant(30).map((milliseconds) => AbortSignal.timeout(milliseconds)),
);

/** What a word in a type stands for. */
const words: readonly (readonly [pattern: RegExp, values: fc.Arbitrary<unknown>])[] = [
  [/\bboolean\b/, fc.boolean()],
  [/\bnumber\b/, number],
  [/\bbigint\b/, fc.bigInt()],
  [/\bDate\b/, fc.date({ noInvalidDate: false })],
  [/\bUint8Array\b/, fc.uint8Array({ maxLength: 100 })],
  [/\bRegExp\b/, fc.constant(/x/)],
  [/\bAbortSignal\b/, signal],
  [/\bSignals\b/, fc.constantFrom('SIGTERM', 'SIGCONT', 'SIGKILL', 'SIGRTMIN+3', 'SIGNONE')],
  [
    /=>/,
    fc.constantFrom(
      () => true,
      async () => false,
      () => {
        throw noLonger;
      },
    ),
  ],
  [/\bstring\b/, text],
];

/** Values such as a type, given as text, has, and others. */
export function arbitraryLike(type: string): fc.Arbitrary<unknown> {
  const alternatives = words.filter(([pattern]) => pattern.test(type)).map(([, values]) => values);
  const literals = [...type.matchAll(/'([^']*)'/g)].map(([, literal]) => literal);
  if (literals.length > 0) alternatives.push(fc.constantFrom(...literals));
  if (/readonly \w+\[\]/.test(type)) alternatives.push(fc.array(fc.oneof(text, ...alternatives), { maxLength: 3 }));
  for (const name of type.match(/\w+/g) ?? [])
    if (interfaces.has(name)) alternatives.push(fc.record(fieldsLike(name), { requiredKeys: [] }));
  return alternatives.length === 0 ? junk : fc.oneof({ weight: 3, arbitrary: fc.oneof(...alternatives) }, junk);
}

/** For each field of a public interface, what may be given for it. */
export function fieldsLike(name: string): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries([...(interfaces.get(name) ?? [])].map(([field, type]) => [field, arbitraryLike(type)]));
}
