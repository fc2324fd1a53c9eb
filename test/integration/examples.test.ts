import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Image, Runtime } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Sandbox } from '../../examples/agent-sandbox.ts';
import { runJob, type Step } from '../../examples/ci-runner.ts';
import { judge } from '../../examples/online-judge.ts';
import { describeWith } from '../support/requires.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;
let runtime: Runtime;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hako-examples-'));
  runtime = await Runtime.open({ root: join(directory, 'root') });
});
afterAll(async () => {
  await runtime.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The example as a newcomer starts it. */
function start(example: string): string {
  if (process.env['HAKO_BUILT'] !== '1') execFileSync('npm', ['run', '-s', 'build:ts'], { cwd: project });
  return execFileSync(process.execPath, [`dist/examples/${example}.js`], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, HAKO_ROOT: join(directory, 'started') },
    timeout: 60_000,
  });
}

async function nothingLeft(): Promise<void> {
  expect(await runtime.containers.list()).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => /^hako-(judge|sandbox)-/.test(name))).toEqual([]);
}

describeWith({ root: true }, 'examples/ci-runner.ts', () => {
  const run = async (steps: readonly Step[], signal?: AbortSignal, heard: (text: string) => void = () => {}) => {
    let output = '';
    const results = await runJob(
      runtime,
      { image: Image.fromHost(), steps, env: { BRANCH: 'main' } },
      (step, chunk) => {
        for (const line of chunk.toString().trimEnd().split('\n')) output += `${step}: ${line}\n`;
        heard(output);
      },
      signal,
    );
    return { results, output };
  };

  it('runs steps in one container, with what came before, until one fails', async () => {
    const { results, output } = await run([
      { name: 'write', run: 'echo $BRANCH > file; echo written >&2' },
      { name: 'read', run: 'cat file; echo $EXTRA', env: { EXTRA: 'more' } },
      { name: 'fail', run: 'exit 3' },
      { name: 'never', run: 'echo never' },
    ]);
    expect(results).toEqual([
      { name: 'write', outcome: 'passed', exitCode: 0 },
      { name: 'read', outcome: 'passed', exitCode: 0 },
      { name: 'fail', outcome: 'failed', exitCode: 3 },
      { name: 'never', outcome: 'skipped' },
    ]);
    expect(output).toBe('write: written\nread: main\nread: more\n');
    await nothingLeft();
  });

  it('ends a step at its time, and all of them when it is cancelled', async () => {
    const hang = { name: 'hang', run: 'echo begun; sleep 60; echo never', timeoutSeconds: 0.5 };
    expect(await run([hang, { name: 'never', run: 'true' }])).toEqual({
      results: [
        { name: 'hang', outcome: 'timed out' },
        { name: 'never', outcome: 'skipped' },
      ],
      output: 'hang: begun\n',
    });
    const cancel = new AbortController();
    const { results } = await run(
      [
        { name: 'hang', run: hang.run },
        { name: 'never', run: 'true' },
      ],
      cancel.signal,
      () => cancel.abort(),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(['cancelled', 'skipped']);
    await nothingLeft();
  });

  it('does what it shows', () => {
    expect(start('ci-runner')).toMatch(/\[test\] it works\n[\s\S]*passed[\s\S]*timed out[\s\S]*skipped/);
  });
});

describeWith({ root: true, tools: ['gcc'] }, 'examples/online-judge.ts', () => {
  const tests = [
    { input: '2 3\n', output: '5\n' },
    { input: '-1 1\n', output: '0\n' },
  ];
  const main = (body: string) =>
    `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <fcntl.h>\n#include <sys/socket.h>\n#include <netinet/in.h>\n#include <arpa/inet.h>\nint main(void) { ${body} }`;
  const sum = 'int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); return 0;';

  it.each([
    ['AC', 'the right answer', sum],
    ['WA', 'a wrong one', sum.replace('a + b', 'a - b')],
    ['WA', 'one that is right once', sum.replace('a + b', '5')],
    ['RE', 'a crash', '*(volatile int *)0 = 1;'],
    ['RE', 'a failure', 'return 1;'],
    ['CE', 'no program', 'this is no C'],
    ['TLE', 'an endless loop', 'for (volatile int i = 0;; i++);'],
    ['TLE', 'a sleeper', 'sleep(60);'],
    ['TLE', 'a fork bomb', 'for (;;) fork();'],
    ['MLE', 'a memory hog', 'for (;;) { char *p = malloc(1 << 20); if (!p) return 1; memset(p, 1, 1 << 20); }'],
    ['OLE', 'endless output', 'for (;;) puts("more and more and more");'],
  ] as const)('says %s of %s', async (verdict, _what, body) => {
    expect(await judge(runtime, main(body), tests, { seconds: 1, memory: '32m', outputBytes: 1 << 16 })).toBe(verdict);
    await nothingLeft();
  });

  it.each([
    ['write to the root', 'return open("/etc/cheat", O_CREAT | O_WRONLY, 0600) < 0;'],
    ['write beside itself', 'return open("/work/cheat", O_CREAT | O_WRONLY, 0600) < 0;'],
    ['become root', 'return setuid(0) != 0;'],
    ['read the tests of others', 'return access("/root/.profile", R_OK) != 0;'],
    [
      'call home',
      'struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) }; inet_pton(AF_INET, "192.0.2.1", &to.sin_addr); return connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&to, sizeof to) != 0;',
    ],
  ])('does not let a submission %s', async (_what, body) => {
    expect(await judge(runtime, main(body), [{ input: '', output: '' }])).toBe('RE');
    expect(existsSync('/etc/cheat')).toBe(false);
  });

  it('does what it shows', () => {
    expect(start('online-judge')).toBe('a sum: AC | a fork bomb: TLE\n');
  });
});

describeWith({ root: true, tools: ['bash'] }, 'examples/agent-sandbox.ts', () => {
  it('keeps files from call to call, and takes them in and out', async () => {
    await using sandbox = await Sandbox.open(runtime);
    await sandbox.write({ 'notes.txt': 'one\n', 'sub/more.bin': Buffer.from([0, 255]) });
    expect(await sandbox.run('echo two >> notes.txt; cat notes.txt; ls; echo oops >&2; exit 4')).toEqual({
      exitCode: 4,
      stdout: 'one\ntwo\nnotes.txt\nsub\n',
      stderr: 'oops\n',
    });
    expect((await sandbox.read('notes.txt')).toString()).toBe('one\ntwo\n');
    expect(await sandbox.read('sub/more.bin')).toEqual(Buffer.from([0, 255]));
    await sandbox.run('ln -s /etc/passwd link');
    await expect(sandbox.read('link')).rejects.toThrow('no regular file');
  });

  it('goes on after calls that take too long, print too much, or need too much', async () => {
    await using sandbox = await Sandbox.open(runtime, { memory: '64m' });
    expect(await sandbox.run('sleep 300 & sleep 300', { seconds: 0.5 })).toMatchObject({
      exitCode: null,
      note: expect.stringMatching(/longer than 0.5 s/),
    });
    await expect.poll(async () => (await sandbox.run('pgrep -c sleep')).stdout, { timeout: 5000 }).toBe('1\n');
    expect(await sandbox.run('yes', { seconds: 20 })).toMatchObject({
      exitCode: null,
      note: expect.stringMatching(/printed too much/),
    });
    const hog = await sandbox.run('head -c 200m /dev/zero | tail', { seconds: 20 });
    expect(hog.note ?? '').toMatch(/more memory/);
    expect(await sandbox.run('echo here')).toMatchObject({ exitCode: 0, stdout: 'here\n' });
  });

  it('has no network, no rights, and nothing of the host to write to', async () => {
    await using sandbox = await Sandbox.open(runtime);
    writeFileSync(join(directory, 'secret'), 'secret');
    const { stdout } = await sandbox.run(
      `id -u; ls /sys/class/net; grep CapEff /proc/self/status; touch /etc/x 2>&1; cat ${join(directory, 'secret')} 2>&1`,
    );
    expect(stdout).toMatch(/^65534\nlo\nCapEff:\t0{16}\n.*Read-only file system\n.*No such file or directory\n$/);
  });

  it('does what it shows', () => {
    expect(start('agent-sandbox')).toMatch(/5050[\s\S]*It took longer than 1 s/);
  });
});
