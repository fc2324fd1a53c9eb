import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Container, HakoError, type Images, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { file, tar } from '../support/tar.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** What a program in plain JavaScript may give. */
// biome-ignore lint/suspicious/noExplicitAny: the type is wrong on purpose.
type Anything = any;

describeWith({ root: true, tools: ['busybox'] }, 'what makes no sense', () => {
  let test: TestRuntime;
  let container: Container;
  const scratch = mkdtempSync(join(tmpdir(), 'hako-wrong-'));
  beforeAll(async () => {
    test = await openRuntime();
    container = await test.runtime.containers.create({ image, command: ['sleep', '60'], ephemeral: true });
    await container.start();
  });
  afterAll(async () => {
    await test[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  const refused = async (call: () => unknown, code: string, message: RegExp) => {
    const error: unknown = await (async () => call())().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HakoError);
    expect(error).toMatchObject({ code: `HAKO_ERR_${code}` });
    expect((error as HakoError).message).toMatch(message);
    expect((error as HakoError).message).toMatch(/[^.]\.$/);
  };

  const run = (options: Anything) => () => test.runtime.run(options);
  const command = ['true'];
  it.each<[string, () => unknown, string, RegExp]>([
    ['no options', run(undefined), 'INVALID_OPTION', /expected object/],
    ['no image', run({ command }), 'INVALID_OPTION', /image: give a reference/],
    ['a number for an image', run({ image: 5, command }), 'INVALID_OPTION', /image: give a reference/],
    ['an object for an image', run({ image: {}, command }), 'INVALID_OPTION', /image: give a reference/],
    ['an image that is not there', run({ image: 'absent', command }), 'IMAGE_NOT_FOUND', /Import it first/],
    ['a string for a command', run({ image, command: 'true' }), 'INVALID_OPTION', /command: .*expected array/],
    ['a signal that is none', run({ image, command, signal: 'x' }), 'INVALID_OPTION', /signal: give an AbortSignal/],
    ['a number for input', run({ image, command, input: 5 }), 'INVALID_OPTION', /input: give a string or bytes/],
    ['a negative maxOutput', run({ image, command, maxOutput: -1 }), 'INVALID_OPTION', /maxOutput: Too small/],
    [
      'an option that is unknown',
      run({ image, command, cwd: '/' }),
      'INVALID_OPTION',
      /unknown option 'cwd' \(known: /,
    ],
    [
      'a number in env',
      run({ image, command, env: { A: 1 } }),
      'INVALID_OPTION',
      /valid: env\.A: .*received number\.$/,
    ],
    ['a size', run({ image, command, shmSize: 'big' }), 'INVALID_OPTION', /shmSize: invalid size: 'big'/],
    [
      'a namespace',
      run({ image, command, namespaces: { network: 'bridge' } }),
      'INVALID_OPTION',
      /network: .*write 'private'/,
    ],
    [
      'no options of create',
      () => test.runtime.containers.create(null as Anything),
      'INVALID_OPTION',
      /expected object/,
    ],
    ['no name to get', () => test.runtime.containers.get(undefined as Anything), 'INVALID_OPTION', /named by a string/],
    ['no plugin', () => test.runtime.register(undefined as Anything), 'INVALID_OPTION', /definePlugin/],
    ['a closed door', () => Runtime.open(null as Anything), 'INVALID_OPTION', /expected object/],
    ['a signal to open', () => Runtime.open({ signal: 5 as Anything }), 'INVALID_OPTION', /AbortSignal/],
    ['a root that is none', () => Runtime.open({ root: 5 as Anything }), 'INVALID_OPTION', /root: /],
  ])('%s', async (_name, call, code, message) => refused(call, code, message));

  const on = (call: (container: Anything) => unknown) => () => call(container);
  it.each<[string, () => unknown, RegExp]>([
    ['exec of nothing', on((it) => it.exec()), /command: write the program and its arguments as a list/],
    ['exec of a string', on((it) => it.exec('ls -l')), /command: write the program and its arguments as a list/],
    ['exec of no words', on((it) => it.exec([])), /name a program/],
    ['exec of numbers', on((it) => it.exec([5])), /command\.0: /],
    ['exec with null', on((it) => it.exec(['ls'], null)), /expected object/],
    ['exec with an unknown option', on((it) => it.exec(['ls'], { cwd: '/' })), /unknown option 'cwd'/],
    ['start with an unknown option', on((it) => it.start({ attached: true })), /unknown option 'attached'/],
    ['stop with no number', on((it) => it.stop({ timeout: 'x' })), /timeout: /],
    // A timer of Node's that is given too much ends at once: the container would be killed instead of waited for.
    ['stop that never kills', on((it) => it.stop({ timeout: Number.POSITIVE_INFINITY })), /timeout: /],
    ['stop by no signal', on((it) => it.stop({ stopSignal: 'SIGNOPE' })), /SIGNOPE/],
    ['kill by no signal', on((it) => it.kill('SIGNOPE')), /SIGNOPE/],
    ['wait with a signal that is none', on((it) => it.wait({ signal: {} })), /AbortSignal/],
    ['wait for what does not come', on((it) => it.wait({ condition: 'gone' })), /condition: /],
    ['kill with a signal that is none', on((it) => it.kill('SIGTERM', { signal: 5 })), /AbortSignal/],
    ['restart with no number', on((it) => it.restart({ timeout: 'x' })), /timeout: /],
    ['rename to a number', on((it) => it.rename(5)), /named by a string/],
    ['top of what ps does not know', on((it) => it.top({ psArgs: 5 })), /psArgs: /],
    ['an exec by a number', on((it) => it.inspectExec(5)), /named by a string/],
    ['attach with keys that are none', on((it) => it.attach({ detachKeys: 5 })), /detachKeys: /],
    [
      'start with keys that there are not',
      on((it) => it.start({ attach: { detachKeys: 'ctrl-1' } })),
      /detachKeys: 'ctrl-1'/,
    ],
    ['exec with keys that there are not', on((it) => it.exec(['ls'], { detachKeys: 'ab' })), /detachKeys: 'ab'/],
    ['attach with a string', on((it) => it.attach({ stdin: 'yes' })), /stdin: /],
    ['resize to nothing', on((it) => it.resize()), /expected object/],
    ['resize to less than nothing', on((it) => it.resize({ rows: -1, columns: 80 })), /rows: /],
    ['remove with a string', on((it) => it.remove({ force: 'yes' })), /force: /],
    [
      'logs since a text',
      on((it) => it.logs({ since: '10m' }).next()),
      /since: give a Date, or nanoseconds .* parseLogTime/,
    ],
    ['logs since no date', on((it) => it.logs({ since: new Date('x') }).next()), /since: /],
    ['logs with an unknown option', on((it) => it.logs({ lines: 5 }).next()), /unknown option 'lines'/],
  ])('%s', async (_name, call, message) => refused(call, 'INVALID_OPTION', message));

  it.each<[string, () => unknown, RegExp]>([
    ['list with a string', () => test.runtime.containers.list('all' as Anything), /expected object/],
    ['list of less than nothing', () => test.runtime.containers.list({ limit: -1 }), /limit: /],
    [
      'list of a status',
      () => test.runtime.containers.list({ filters: { status: 5 } as Anything }),
      /filters\.status: /,
    ],
    ['prune with a string', () => test.runtime.containers.prune({ filters: 'all' } as Anything), /filters: /],
    ['events since a text', async () => test.runtime.events({ since: 'now' } as Anything), /since: /],
    ['events of a colour', async () => test.runtime.events({ filters: { colour: 'red' } } as Anything), /colour/],
  ])('%s', async (_name, call, message) => refused(call, 'INVALID_OPTION', message));

  const images = (call: (images: Images, layout: Anything) => unknown) => () => call(test.runtime.images, scratch);
  it.each<[string, () => unknown, string, RegExp]>([
    ['import of nothing', images((it) => it.import(undefined as Anything)), 'INVALID_OPTION', /source: /],
    ['import of a kind', images((it) => it.import({ kind: 'x' } as Anything)), 'INVALID_OPTION', /source\.kind: /],
    [
      'import without a path',
      images((it) => it.import({ kind: 'oci-layout' } as Anything)),
      'INVALID_OPTION',
      /source\.path: /,
    ],
    [
      'import of bytes',
      images((it) => it.import({ kind: 'archive', archive: 5 } as Anything)),
      'INVALID_OPTION',
      /a stream of bytes/,
    ],
    [
      'import with a typing error',
      images((it, at) => it.import(at, { refrence: 'x' } as Anything)),
      'INVALID_OPTION',
      /unknown option 'refrence' \(known: .*reference/,
    ],
    [
      'import with a progress that is none',
      images((it, at) => it.import(at, { onProgress: 'x' } as Anything)),
      'INVALID_OPTION',
      /onProgress: give a function/,
    ],
    ['import with null', images((it, at) => it.import(at, null as Anything)), 'INVALID_OPTION', /expected object/],
    [
      'a config',
      images((it, at) => it.import({ kind: 'rootfs', rootfs: at, config: { command: [] } } as Anything)),
      'INVALID_OPTION',
      /unknown option 'source.config.command'/,
    ],
    ['import of a path that is not there', images((it) => it.import('/nonexistent')), 'INVALID_OPTION', /no such file/],
    ['get of nothing', images((it) => it.get(undefined as Anything)), 'INVALID_OPTION', /named by a string/],
    ['tag with nothing', images((it) => it.tag(image, undefined as Anything)), 'INVALID_OPTION', /named by a string/],
    ['remove of a number', images((it) => it.remove(5 as Anything)), 'INVALID_OPTION', /named by a string/],
  ])('%s', async (_name, call, code, message) => refused(call, code, message));

  it('is told from an image: a tar of a root filesystem, and an image in a form of skopeo’s', async () => {
    const archive = join(scratch, 'rootfs.tar');
    writeFileSync(archive, tar(file('bin/sh', 'x'), file('etc/passwd', '')));
    await refused(
      () => test.runtime.images.import(archive),
      'INVALID_IMAGE',
      /import\(\{ kind: 'rootfs', rootfs: '.*rootfs.tar' \}\)\.$/,
    );
    expect((await test.runtime.images.import({ kind: 'rootfs', rootfs: archive })).layers).toHaveLength(1);
    const copied = join(scratch, 'copied');
    mkdirSync(copied);
    writeFileSync(join(copied, 'version'), 'Directory Transport Version: 1.1\n');
    writeFileSync(join(copied, 'manifest.json'), '{}');
    await refused(() => test.runtime.images.import(copied), 'INVALID_IMAGE', /skopeo copy dir:/);
  });
});

describeWith({ root: true, tools: ['busybox'] }, 'a root that is used with one storage driver', () => {
  it('is opened with that one when none is named, and with no other', async () => {
    await using test = await openRuntime({ storage: 'vfs' });
    await test.runtime.containers.create({ image, name: 'kept', command: ['true'] });
    await expect(Runtime.open({ root: test.root, storage: 'overlay2' })).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_OPTION',
      message: expect.stringContaining("is used with the storage driver 'vfs', not 'overlay2'"),
    });
    await using other = await Runtime.open({ root: test.root });
    expect((await other.info()).defaults.storage).toBe('vfs');
    await (await other.containers.get('kept')).start();
  });

  it('refuses a host mount that its driver cannot make, and leaves nothing', async () => {
    await using test = await openRuntime({ storage: 'vfs' });
    const hostMount = { image, command: ['true'], hostMount: true };
    await expect(test.runtime.run(hostMount)).rejects.toMatchObject({ code: 'HAKO_ERR_HOST_UNSUPPORTED' });
    expect(await test.runtime.containers.list()).toEqual([]);
  });
});
