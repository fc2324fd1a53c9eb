import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DetachKeys, defaultDetachKeys, parseDetachKeys } from '../../src/container/detach-keys.ts';

it('knows the keys that Docker knows', () => {
  expect([...parseDetachKeys(defaultDetachKeys)]).toEqual([16, 17]);
  expect([...parseDetachKeys('ctrl-a,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,x,Z')]).toEqual([
    1, 0, 27, 28, 29, 30, 31, 120, 90,
  ]);
  expect(parseDetachKeys('')).toHaveLength(0);
  for (const text of ['ctrl-', 'ctrl-1', 'ab', ',', 'a,', 'ä', 'ctrl-ab'])
    expect(() => parseDetachKeys(text), text).toThrow(expect.objectContaining({ code: 'HAKO_ERR_INVALID_OPTION' }));
});

it('finds the keys however what is typed is cut up, and passes all else on', () => {
  const letters = fc.constantFrom('a', 'b', 'c');
  fc.assert(
    fc.property(
      fc.array(letters, { minLength: 1, maxLength: 4 }),
      fc.array(fc.string({ unit: letters, maxLength: 3 }), { maxLength: 10 }),
      (keys, chunks) => {
        const search = new DetachKeys(Buffer.from(keys.join('')));
        const typed = chunks.join('');
        const at = typed.indexOf(keys.join(''));
        let passed = '';
        let found = false;
        for (const chunk of chunks) {
          const taken = search.take(Buffer.from(chunk));
          passed += taken.data.toString();
          found = taken.found;
          if (found) break;
        }
        if (!found) passed += search.end().toString();
        expect(found).toBe(at >= 0);
        expect(passed).toBe(at >= 0 ? typed.slice(0, at) : typed);
      },
    ),
    { numRuns: 2_000 },
  );
});
