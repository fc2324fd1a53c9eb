import fc from 'fast-check';
import type { z } from 'zod';

/** What people write into options, right and wrong. */
const texts = [
  '',
  ' ',
  '/',
  '/a',
  '/proc/self',
  '/dev/null',
  '/dev/null:/dev/zero:rw',
  '../../etc',
  'a\0b',
  'a=b',
  '=',
  'x'.repeat(5000),
  '0',
  '-1',
  '1000:1000',
  '4294967296',
  'root',
  'app:staff',
  '64m',
  '1e999',
  '0.5',
  '1m30s',
  'c 1:3 rwm',
  'container:absent',
  'host',
  'private',
  'SIGKILL',
  'on-failure:3',
  'CAP_SYS_ADMIN',
  'ALL',
  'net.ipv4.ip_forward',
  'kernel.shmmax',
  '2026-01-01T00:00:00Z',
  '\u{1F4E6}',
  '\ud800',
  '__proto__',
];

const numbers = [0, -0, 1, -1, 0.5, 1e-9, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, NaN, Infinity, -Infinity];

export const text = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: 'binary', maxLength: 20 }));
export const number = fc.oneof(fc.constantFrom(...numbers), fc.integer(), fc.double());

/** Anything that a program in plain JavaScript may give. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  text,
  number,
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true, maxDepth: 2 }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    Symbol('x'),
    () => 1,
    new Date(NaN),
    new (class Odd {})(),
    /x/,
    Promise.resolve(),
  ),
);

type Definition = z.core.$ZodTypeDef & Record<string, unknown>;

/** Values of the shape that a schema takes, most of them wrong in one place or another. */
export function arbitraryOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: shaped(schema) }, { weight: 1, arbitrary: junk });
}

function shaped(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const definition = schema._zod.def as Definition;
  const inner = (name: string): fc.Arbitrary<unknown> => arbitraryOf(definition[name] as z.core.$ZodType);
  switch (definition.type) {
    case 'string':
      return text;
    case 'number':
      return number;
    case 'boolean':
      return fc.boolean();
    case 'bigint':
      return fc.bigInt();
    case 'array':
      return fc.array(inner('element'), { maxLength: 4 });
    case 'optional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
      return inner('innerType');
    case 'nullable':
      return fc.option(inner('innerType'));
    case 'pipe':
      return inner('in');
    case 'lazy': // z.json(), the only one that refers to itself
      return fc.jsonValue({ maxDepth: 2 });
    case 'union':
      return fc.oneof(...(definition['options'] as z.core.$ZodType[]).map(arbitraryOf));
    case 'enum':
      return fc.oneof(fc.constantFrom(...Object.values(definition['entries'] as object)), text);
    case 'literal':
      return fc.constantFrom(...(definition['values'] as unknown[]));
    case 'record':
      return fc.dictionary(text, inner('valueType'), { maxKeys: 4 });
    case 'object':
      return fc.record(fieldsOf(schema), { requiredKeys: [] });
    default:
      return junk;
  }
}

/** For each field of an object's schema, what may be given for it. */
export function fieldsOf(schema: z.core.$ZodType): Record<string, fc.Arbitrary<unknown>> {
  const { shape } = schema._zod.def as unknown as { shape: Record<string, z.core.$ZodType> };
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, arbitraryOf(field)]));
}
