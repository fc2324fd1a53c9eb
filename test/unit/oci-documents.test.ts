import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv-draft-04';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { HakoError } from '../../src/base/errors.ts';
import { chainIds } from '../../src/oci/chain-id.ts';
import { encodeImageConfig, encodeManifest } from '../../src/oci/encode.ts';
import { parseImageConfig } from '../../src/oci/image-config.ts';
import { parseImageIndex } from '../../src/oci/image-index.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { platformRank } from '../../src/oci/platform.ts';

const bytes = (document: unknown): Uint8Array =>
  Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
const digest = `sha256:${'0f'.repeat(32)}` as Digest;
const described = { digest, mediaType: mediaTypes.ociManifest };
const descriptor = (mediaType: string) => ({ mediaType, digest, size: 7 });
const config = (fields: Record<string, unknown> = {}, top: Record<string, unknown> = {}) =>
  bytes({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] }, config: fields, ...top });

describe('chain IDs', () => {
  it('are as the specification’s example has them', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [Digest, Digest, Digest];
    expect(chainIds([])).toEqual([]);
    expect(chainIds([a])).toEqual([a]);
    expect(chainIds([a, b, c])).toEqual([a, digestOf(`${a} ${b}`), digestOf(`${digestOf(`${a} ${b}`)} ${c}`)]);
  });
});

describe('an image config', () => {
  it('is read with what Go writes for nothing', () => {
    const parsed = parseImageConfig(
      bytes({
        os: 'linux',
        architecture: 'arm64',
        variant: 'v8',
        config: { Env: null, Cmd: null, Labels: null, Volumes: null, User: '' },
        rootfs: { type: 'layers', diff_ids: null },
        history: null,
      }),
      'config',
    );
    expect(parsed).toMatchObject({
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      diffIds: [],
      history: [],
      ignored: [],
      defaults: { env: [], cmd: [], labels: {}, volumes: [], user: '' },
    });
  });

  it.each([
    ['NAME=value', null],
    ['NAME=', null],
    ['NAME=a=b', null],
    ['A*=x', null],
    ['FOO', 'not of the form NAME=value'],
    ['*', 'not of the form NAME=value'],
    ['', 'not of the form NAME=value'],
    ['=x', 'the name is empty'],
    ['A=b\0c', 'holds a NUL byte'],
  ])('keeps %j, or says why not (CVE-2026-57231)', (entry, reason) => {
    const { defaults, ignored } = parseImageConfig(config({ Env: [entry, 'PATH=/bin'] }), 'config');
    expect(defaults.env).toEqual(reason === null ? [entry, 'PATH=/bin'] : ['PATH=/bin']);
    expect(ignored).toEqual(reason === null ? [] : [{ field: 'Env', value: entry, reason }]);
  });

  it('has no place for keys of JavaScript’s own', () => {
    const parsed = parseImageConfig(
      Buffer.from(
        `{"os":"linux","architecture":"amd64","__proto__":{"polluted":1},"rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x","constructor":"y","a":"b"},"Volumes":{"__proto__":{}}}}`,
      ),
      'config',
    );
    expect(Object.keys(parsed.defaults.labels).sort()).toEqual(['a', 'constructor']);
    expect(parsed.defaults.volumes).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(parsed.defaults.labels)).toBe(Object.prototype);
  });

  it.each([
    ['a command with a NUL', { Cmd: ['a\0'] }],
    ['a directory with a NUL', { WorkingDir: '/\0' }],
    ['a user that is a number', { User: 0 }],
    ['a command that is text', { Cmd: 'true' }],
    ['labels that are a list', { Labels: ['a'] }],
    ['an endless list', { Env: Array.from({ length: 5000 }, () => 'A=b') }],
    ['an endless text', { Env: [`A=${'x'.repeat(200_000)}`] }],
    ['a negative interval', { Healthcheck: { Interval: -1 } }],
  ])('is refused with %s', (_title, fields) => {
    expect(() => parseImageConfig(config(fields), 'config')).toThrow(HakoError);
  });

  it('gives nothing of the host a name: the same defaults, whatever its labels and annotations say', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.string()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (labels, others) => {
          const { User: _user, ...harmless } = others as Record<string, unknown>;
          const plain = parseImageConfig(config({ Labels: {} }), 'config');
          const labelled = parseImageConfig(
            config({ Labels: labels }, { 'x-anything': harmless, annotations: harmless }),
            'config',
          );
          expect({ ...labelled, defaults: { ...labelled.defaults, labels: {} } }).toEqual(plain);
        },
      ),
    );
  });

  it('is either read or refused with an error of its own, whatever it is', () => {
    const field = fc.constantFrom(
      'Env',
      'Cmd',
      'Entrypoint',
      'User',
      'WorkingDir',
      'Labels',
      'ExposedPorts',
      'Volumes',
      'StopSignal',
      'Shell',
      'OnBuild',
      'Healthcheck',
    );
    fc.assert(
      fc.property(
        fc.dictionary(field, fc.jsonValue()),
        fc.dictionary(
          fc.constantFrom('os', 'architecture', 'variant', 'created', 'rootfs', 'history', 'config'),
          fc.jsonValue(),
        ),
        (fields, top) => {
          try {
            parseImageConfig(config(fields, top), 'config');
          } catch (error) {
            expect(error).toMatchObject({ code: 'HAKO_ERR_INVALID_IMAGE' });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('a manifest', () => {
  it.each([
    [mediaTypes.ociManifest, mediaTypes.ociConfig, mediaTypes.ociLayerGzip],
    [mediaTypes.dockerManifest, mediaTypes.dockerConfig, mediaTypes.dockerLayerGzip],
  ])('is read in the form %s', (mediaType, configType, layerType) => {
    const parsed = parseManifest(
      bytes({
        schemaVersion: 2,
        mediaType,
        config: descriptor(configType),
        layers: [{ ...descriptor(layerType), urls: ['http://evil.example/'], data: 'AA==' }],
      }),
      { digest, mediaType },
    );
    // What an image says of where its content is, is not even kept (CVE-2020-15157).
    expect(parsed.layers).toEqual([descriptor(layerType)]);
  });

  it('is either read or refused with an error of its own, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('schemaVersion', 'mediaType', 'config', 'layers', 'annotations', 'manifests'),
          fc.jsonValue(),
        ),
        fc.boolean(),
        (fields, asIndex) => {
          const content = bytes({ schemaVersion: 2, config: descriptor(mediaTypes.ociConfig), layers: [], ...fields });
          try {
            if (asIndex) parseImageIndex(content, 'index');
            else parseManifest(content, described);
          } catch (error) {
            expect(error).toMatchObject({ code: 'HAKO_ERR_INVALID_IMAGE' });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('the choice of a platform', () => {
  const amd64 = { os: 'linux', architecture: 'amd64' };
  it.each([
    [{ os: 'linux', architecture: 'amd64' }, amd64, 1],
    [{ os: 'linux', architecture: 'amd64', variant: 'v1' }, amd64, 0],
    [{ os: 'linux', architecture: 'amd64', variant: 'v3' }, amd64, null],
    [{ os: 'windows', architecture: 'amd64' }, amd64, null],
    [{ os: 'linux', architecture: '386' }, amd64, null],
    [{ os: 'linux', architecture: 'arm64' }, { os: 'linux', architecture: 'arm64', variant: 'v8' }, 1],
    [{ os: 'linux', architecture: 'arm64', variant: 'v8' }, { os: 'linux', architecture: 'arm64', variant: 'v8' }, 0],
    [{ os: 'linux', architecture: 'arm', variant: 'v7' }, { os: 'linux', architecture: 'arm64', variant: 'v8' }, null],
  ])('ranks %j on %j as %s', (image, machine, rank) => {
    expect(platformRank(image, machine)).toBe(rank);
  });
});

const schemas = fileURLToPath(new URL('../../../shared/reference/oci-image-schema/', import.meta.url));

describe.skipIf(!existsSync(schemas))('what hako writes, held to the JSON Schemas of the specification', () => {
  // They refer to one another by file name; the identifiers in them would make that relative to places on the web.
  const read = (name: string) =>
    JSON.parse(readFileSync(`${schemas}${name}`, 'utf8'), (key, value: unknown) =>
      key === 'id' && typeof value === 'string' ? undefined : value,
    ) as object;
  const validator = (name: string) => {
    const ajv = new Ajv.default({ strict: false, validateFormats: false });
    for (const part of ['defs.json', 'defs-descriptor.json', 'content-descriptor.json'])
      ajv.addSchema(read(part), part);
    return ajv.compile(read(name));
  };
  const layer = { mediaType: mediaTypes.ociLayer, digest, size: 3 };
  const written = encodeImageConfig({
    platform: { os: 'linux', architecture: 'amd64' },
    created: '2024-05-06T07:08:09Z',
    defaults: {
      env: ['A=b'],
      cmd: ['/bin/sh'],
      exposedPorts: ['80/tcp'],
      volumes: ['/data'],
      labels: { a: 'b' },
      user: 'app',
      workingDir: '/srv',
    },
    diffIds: [digest],
    comment: 'test',
  });

  it.each([
    ['config-schema.json', written.content],
    ['image-manifest-schema.json', encodeManifest(written.descriptor, [layer]).content],
  ])('%s', (name, content) => {
    const validate = validator(name);
    const valid = validate(JSON.parse(Buffer.from(content).toString()));
    expect(validate.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validate({}), 'the schema refuses something (positive control)').toBe(false);
  });

  it('reads back what it wrote', () => {
    expect(parseImageConfig(written.content, 'config')).toMatchObject({
      defaults: {
        env: ['A=b'],
        cmd: ['/bin/sh'],
        exposedPorts: ['80/tcp'],
        volumes: ['/data'],
        user: 'app',
        workingDir: '/srv',
      },
      diffIds: [digest],
    });
    const manifest = encodeManifest(written.descriptor, [layer]);
    expect(parseManifest(manifest.content, manifest.descriptor)).toEqual({
      config: written.descriptor,
      layers: [layer],
    });
  });
});
