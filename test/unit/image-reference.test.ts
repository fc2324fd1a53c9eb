import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HakoError } from '../../src/base/errors.ts';
import {
  familiarReference,
  formatReference,
  type ImageReference,
  normalizeReference,
  parseReference,
} from '../../src/image/reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

describe('a reference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.29', 'docker.io/library/nginx:1.29'],
    ['user/app', 'docker.io/user/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app:2', 'localhost:5000/app:2'],
    ['registry:5000/a/b/c', 'registry:5000/a/b/c:latest'],
    ['ghcr.io/a/b.c__d-e', 'ghcr.io/a/b.c__d-e:latest'],
    ['UPPER/app', 'UPPER/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`],
    [`a/b:${'t'.repeat(128)}`, `docker.io/a/b:${'t'.repeat(128)}`],
  ])('%s is completed to %s', (short, full) => {
    expect(normalizeReference(short)).toBe(full);
    expect(normalizeReference(full)).toBe(full);
  });

  it.each([
    '',
    ' ',
    ':',
    '@',
    '/',
    'a/',
    '/a',
    'a//b',
    'Nginx',
    'a:b:c',
    'a b',
    'a\n',
    'nginx:',
    `nginx:${'t'.repeat(129)}`,
    'nginx:-tag',
    'nginx:.tag',
    'nginx:ü',
    '-a',
    'a-',
    'a..b',
    'a___b',
    '_a',
    'a.',
    'host:port/app',
    'host:/app',
    '-host.io/app',
    'a'.repeat(300),
    'a1'.repeat(32),
    'nginx@sha256:short',
    `nginx@md5:${'a'.repeat(32)}`,
    `nginx@${digest.toUpperCase()}`,
    `nginx@${digest}@${digest}`,
    '../../etc/passwd',
    'docker.io/../x',
    'a\0b',
    'x'.repeat(5000),
  ])('%j is none', (text) => {
    const failure = (() => {
      try {
        return parseReference(text);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(HakoError);
    expect(failure).toMatchObject({ code: 'HAKO_ERR_INVALID_REFERENCE' });
    expect((failure as HakoError).message.length).toBeLessThan(800);
  });

  it.each([
    ['docker.io/library/nginx:1', 'nginx:1'],
    ['docker.io/user/app:1', 'user/app:1'],
    ['ghcr.io/a/b:1', 'ghcr.io/a/b:1'],
    // Without their registry they would be another's.
    ['docker.io/localhost/app:1', 'docker.io/localhost/app:1'],
    ['docker.io/a.b/app:1', 'docker.io/a.b/app:1'],
    [`docker.io/library/${'a1'.repeat(32)}:1`, `docker.io/library/${'a1'.repeat(32)}:1`],
    ['docker.io/library/a/b:1', 'library/a/b:1'],
  ])('%s is shown as %s', (full, short) => {
    expect(familiarReference(parseReference(full))).toBe(short);
  });

  const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,8}){0,2}$/);
  const domain = fc.oneof(
    fc.constantFrom('docker.io', 'localhost', 'ghcr.io', 'EXAMPLE', '[fe80::1]:80'),
    fc
      .tuple(
        component.map((text) => text.replaceAll('_', '-')),
        fc.integer({ min: 1, max: 65_535 }),
      )
      .map(([name, port]) => `${name}:${port}`),
  );
  const reference: fc.Arbitrary<ImageReference> = fc
    .record({
      domain,
      path: fc.array(component, { minLength: 1, maxLength: 4 }),
      tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined }),
      digest: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
    })
    .map(({ domain: host, path, tag, digest: hex }) => ({
      domain: host,
      repository: host === 'docker.io' && path.length === 1 ? `library/${path[0]}` : path.join('/'),
      ...(tag === undefined && hex !== undefined ? {} : { tag: tag ?? 'latest' }),
      ...(hex === undefined ? {} : { digest: `sha256:${hex}` as ImageReference['digest'] & string }),
    }));

  it('survives being written and read, in full and in short', () => {
    fc.assert(
      fc.property(reference, (value) => {
        expect(parseReference(formatReference(value))).toEqual(value);
        expect(parseReference(familiarReference(value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it('is either sound or refused with its own error, whatever is written', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-zA-Z0-9/:@._\-[\]]{0,80}$/)),
        (text) => {
          try {
            const full = normalizeReference(text);
            expect(normalizeReference(full)).toBe(full);
          } catch (error) {
            expect(error).toMatchObject({ code: 'HAKO_ERR_INVALID_REFERENCE' });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
