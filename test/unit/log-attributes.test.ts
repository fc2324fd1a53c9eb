import { describe, expect, it } from 'vitest';
import { goJson } from '../../src/base/go-json.ts';
import { compileRe2, selectLogAttributes } from '../../src/log/attributes.ts';
import { logContainer } from '../support/log-container.ts';

const container = logContainer({
  labels: { app: 'shop', 'com.example.team': 'a', 'com.example.tier': 'b', SHARED: 'label' },
  env: ['PATH=/bin', 'SHARED=variable', 'EMPTY=', 'NOT_SET', 'TWICE=1', 'TWICE=2', 'EQ=a=b'],
});

describe('selectLogAttributes', () => {
  it.each([
    [{}, {}],
    [{ labels: ['app', 'absent'] }, { app: 'shop' }],
    [{ labelsRegex: '^com\\.example\\.' }, { 'com.example.team': 'a', 'com.example.tier': 'b' }],
    [{ labelsRegex: 'team|app' }, { app: 'shop', 'com.example.team': 'a' }],
    [{ env: ['EMPTY', 'NOT_SET', 'EQ', 'TWICE'] }, { EMPTY: '', EQ: 'a=b', TWICE: '2' }],
    [{ envRegex: 'TH$' }, { PATH: '/bin' }],
    [{ labels: ['SHARED'], env: ['SHARED'] }, { SHARED: 'variable' }],
    [{ labels: ['SHARED'] }, { SHARED: 'label' }],
    [{ labelsRegex: '', envRegex: '' }, {}],
  ])('%j', (selection, attributes) => {
    expect(selectLogAttributes(container, selection)).toEqual(attributes);
  });

  it('makes no prototype of a label of that name', () => {
    const attributes = selectLogAttributes(logContainer({ labels: JSON.parse('{"__proto__":"x"}') }), {
      labelsRegex: '.',
    });
    expect(Object.getPrototypeOf(attributes)).toBe(Object.prototype);
    expect(Object.entries(attributes)).toEqual([['__proto__', 'x']]);
  });
});

describe('compileRe2', () => {
  it('has RE2 syntax: flags and classes, no look-around, no back references', () => {
    expect(compileRe2('(?i)^ABC$').test('abc')).toBe(true);
    expect(compileRe2('^\\pL+$').test('größe')).toBe(true);
    for (const pattern of ['(?=a)', '(a)\\1', '(', 'a{1001}', '[z-a]']) {
      expect(() => compileRe2(pattern)).toThrow(
        expect.objectContaining({
          code: 'HAKO_ERR_INVALID_OPTION',
          message: expect.stringContaining('not a regular expression of RE2'),
        }),
      );
    }
  });

  it('takes linear time for a pattern that hangs a backtracking engine', () => {
    const before = performance.now();
    expect(compileRe2('^(a+)+$').test(`${'a'.repeat(20_000)}b`)).toBe(false);
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});

describe('goJson', () => {
  it('sorts by bytes and escapes as encoding/json does', () => {
    expect(goJson({ b: '1', a: '2', ä: '3', A: '4' })).toBe('{"A":"4","a":"2","b":"1","ä":"3"}');
    expect(goJson({ k: '<b>&"\\\n\t\u0001\u007f\u2028\u2029\ud800' })).toBe(
      '{"k":"\\u003cb\\u003e\\u0026\\"\\\\\\n\\t\\u0001\u007f\\u2028\\u2029\ufffd"}',
    );
  });
});
