import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonFile } from '../../plugins/log/json-file/index.ts';
import { parseLogTime } from '../../src/base/log-time.ts';
import type { LogQuery } from '../../src/contracts/log-driver.ts';
import { entryPrinter } from '../../src/log/print-entries.ts';
import { collect, LoggedSubject, textOf } from '../../src/plugins/conformance/log-subject.ts';
import { parsePluginOptions } from '../../src/plugins/define-plugin.ts';
import { DockerPeer, withoutDockerd } from '../support/docker-peer.ts';
import { jsonFileDriver } from '../support/json-file-driver.ts';
import { JsonFileLog } from '../support/json-file-log.ts';
import { describeWith } from '../support/requires.ts';
import { supervisorWith } from '../support/supervisor-output.ts';

const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x0a));
/** What is printed, and how the records of dockerd and hako must be: the same, byte for byte, but for their times. */
const inputs: Readonly<Record<string, Buffer>> = {
  text: Buffer.from('hello\n\n  spaces \ttab\r\nwith "quotes", \\ and /\n'),
  html: Buffer.from('<b>&amp;</b>\n'),
  utf8: Buffer.from('größe 😀 \u2028\u2029 \ufffd \ufeff \u{10ffff}\u007f\u0080\n'),
  'every-byte': Buffer.concat([every, Buffer.from('\n')]),
  'bad-utf8': Buffer.from([
    0xe2, 0x82, 0x0a, 0xc0, 0xaf, 0x0a, 0xed, 0xa0, 0x80, 0x0a, 0xf5, 0x80, 0x80, 0x80, 0x0a, 0xf0, 0x9f, 0x98, 0x78,
    0x0a, 0x80, 0xbf, 0x0a,
  ]),
  'no-newline': Buffer.from('first\nno newline at the end'),
  'long-16384': Buffer.from(`${'x'.repeat(16_384)}\nafter\n`),
  'long-16383': Buffer.from(`${'x'.repeat(16_383)}\nafter\n`),
  'long-16385': Buffer.from(`${'x'.repeat(16_385)}\nafter\n`),
  'long-100000': Buffer.from(`${'0123456789'.repeat(10_000)}\nafter\n`),
  'long-no-newline': Buffer.from('y'.repeat(40_000)),
};
const attributes = {
  options: {
    labels: 'app,absent',
    'labels-regex': '^com\\.',
    env: 'GREETING',
    'env-regex': '^X_',
    tag: '{{.Name}}|{{upper .Name}}|{{json .Command}}|{{truncate .Name 3}}|{{join (split .Name "-") "/"}}|{{pad .Name 1 2}}|{{title .Name}}',
  },
  labels: { app: 'sh<o>p & "co"', 'com.example.b': '2', 'com.example.a': '1', other: 'x' },
  env: ['GREETING=grüße\u2028', 'X_1=\t\u0001', 'Y=no'],
};

const withoutTimes = (records: string): string =>
  records.replaceAll(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"\}\n/g, '"time":"…"}\n');

describeWith({ root: true, peer: withoutDockerd }, 'json-file, beside dockerd', () => {
  let docker: DockerPeer;
  beforeAll(async () => {
    docker = await DockerPeer.start(inputs);
  }, 60_000);
  afterAll(() => docker?.[Symbol.asyncDispose]());

  /** The files of the log that hako writes of a command, by what follows the name. */
  async function hakoFiles(
    command: string,
    options: object,
    container: {
      readonly name: string;
      readonly command?: string;
      readonly labels?: Record<string, string>;
      readonly env?: readonly string[];
    },
  ): Promise<Record<string, Buffer>> {
    await using logged = await LoggedSubject.create({
      create: (context) => jsonFile.create(context, parsePluginOptions(jsonFile, options)),
      reads: true,
    });
    const info = { ...logged.container, labels: {}, env: [], ...container };
    for (const [name, content] of Object.entries(inputs)) writeFileSync(join(info.directory, name), content);
    const rotations: Promise<void>[] = [];
    const supervisor = supervisorWith(
      await logged.driver.open(info),
      info.directory,
      () => void rotations.push(logged.driver.rotated?.(info) ?? Promise.resolve()),
      `cd ${info.directory}; ${command}`,
    );
    await supervisor.owner.next('exited');
    supervisor.owner.socket.destroy();
    await supervisor.exited;
    await Promise.all(rotations);
    return filesOf(join(info.directory, `${info.id}-json.log`));
  }
  const filesOf = (path: string): Record<string, Buffer> =>
    Object.fromEntries(
      readdirSync(dirname(path))
        .filter((name) => name.startsWith(basename(path)))
        .map((name) => [name.slice(basename(path).length), readFileSync(join(dirname(path), name))]),
    );

  it.each(Object.keys(inputs))('has the same records of %s', async (name) => {
    const { logPath } = await docker.run(['cat', `/in/${name}`], {}, { name });
    const theirs = readFileSync(logPath, 'utf8');
    const ours = (await hakoFiles(`cat ${name}`, {}, { name }))['']?.toString() ?? '';
    expect(withoutTimes(ours)).toBe(withoutTimes(theirs));
    expect(withoutTimes(theirs)).not.toBe(theirs);
  });

  it('has the same attributes and tag', async () => {
    const { options, labels, env } = attributes;
    const { logPath } = await docker.run(['cat', '/in/text'], options, { name: 'web-shop-1', labels, env });
    const ours =
      (
        await hakoFiles('cat text', options, {
          name: 'web-shop-1',
          command: 'cat /in/text',
          labels,
          env: ['PATH=/bin', ...env],
        })
      )['']?.toString() ?? '';
    expect(withoutTimes(ours)).toBe(withoutTimes(readFileSync(logPath, 'utf8')));
    expect(ours).toContain('"com.example.a":"1","com.example.b":"2","tag":');
  });

  it('rotates at the same size, into the same names, compressed the same way', async () => {
    const options = { 'max-size': '2k', 'max-file': '3', compress: 'true' };
    const { logPath } = await docker.run(
      ['sh', '-c', 'for i in $(seq 1 100); do echo line $i; sleep 0.01; done'],
      options,
      { name: 'rotated' },
    );
    const ours = await hakoFiles('for i in $(seq 1 100); do echo line $i; sleep 0.01; done', options, {
      name: 'rotated',
    });
    const theirs = filesOf(logPath);
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
    for (const name of ['.1.gz', '.2.gz']) {
      const [mine, other] = [ours[name], theirs[name]].map((bytes) => bytes ?? Buffer.alloc(0)) as [Buffer, Buffer];
      expect(mine.subarray(0, 10), name).toEqual(other.subarray(0, 10));
      const extra = (bytes: Buffer): Record<string, string> =>
        JSON.parse(bytes.toString('utf8', 12, 12 + bytes.readUInt16LE(10)));
      expect(Object.keys(extra(mine))).toEqual(expect.arrayContaining(Object.keys(extra(other))));
      expect(extra(mine)['lastTime']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
    }
  });

  it('reads what dockerd has written as dockerd does', async () => {
    const command =
      'for i in $(seq 1 60); do echo line $i; echo error $i >&2; sleep 0.005; done; cat /in/long-16385 /in/utf8';
    const { id, logPath } = await docker.run(
      ['sh', '-c', command],
      { 'max-size': '3k', 'max-file': '4', compress: 'true' },
      { name: 'read' },
    );
    using log = new JsonFileLog();
    for (const name of readdirSync(dirname(logPath)).filter((each) => each.startsWith(basename(logPath)))) {
      copyFileSync(join(dirname(logPath), name), `${log.path}${name.slice(basename(logPath).length)}`);
    }
    const { driver } = jsonFileDriver({ maxFile: 4 });
    const ours = async (query: LogQuery, timestamps = false): Promise<string> => {
      const print = entryPrinter({ timestamps });
      return (await collect(driver.read(log.container, query, Promise.resolve())))
        .map((entry) => Buffer.from(print(entry)).toString())
        .join('');
    };
    const all = await collect(driver.read(log.container, {}, Promise.resolve()));
    expect(all.length).toBeGreaterThan(30);
    expect(all.map(textOf)).toContain('error 60');
    expect(await ours({})).toBe(await docker.logs(id, 'tail=all'));
    for (const tail of [0, 1, 5, 40]) {
      // Its tail counts pieces, ours lines: the long one is the fourth line from the end here, and has two.
      expect(await ours({ tail }), `tail ${tail}`).toBe(await docker.logs(id, `tail=${tail > 2 ? tail + 1 : tail}`));
    }
    const time = all[Math.floor(all.length / 2)]?.time ?? 0n;
    const seconds = `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
    expect(parseLogTime(seconds)).toBe(time);
    expect(await ours({ since: time })).toBe(await docker.logs(id, `since=${seconds}`));
    expect(await ours({ until: time })).toBe(await docker.logs(id, `until=${seconds}`));
    const short = { until: (all.findLast((entry) => textOf(entry) === 'error 60')?.time ?? 0n) as bigint };
    const end = `${short.until / 1_000_000_000n}.${String(short.until % 1_000_000_000n).padStart(9, '0')}`;
    expect(await ours(short, true)).toBe(await docker.logs(id, `timestamps=1&until=${end}`));
  });
});
