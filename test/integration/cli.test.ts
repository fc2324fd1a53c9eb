import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { describeWith } from '../support/requires.ts';
import { writeBusyboxRoot } from '../support/test-runtime.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describeWith({ root: true, tools: ['busybox'], paths: [built.cli] }, 'the command hako', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'hako-cli-'));
  const hako = (args: readonly string[], input = ''): Promise<Outcome> =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', built.cli, '--root', join(scratch, 'root'), ...args],
        { timeout: 30_000 },
        (error, stdout, stderr) =>
          resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
      );
      child.stdin?.end(input);
    });

  beforeAll(async () => {
    const { code, stderr } = await hako(['import', '-t', 'bb:1', writeBusyboxRoot(join(scratch, 'rootfs'))]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('runs a program with its streams and its exit code', async () => {
    expect(await hako(['run', '--rm', 'bb:1', 'sh', '-c', 'echo out; echo err >&2; exit 5'])).toEqual({
      code: 5,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(
      await hako(['run', '--rm', '-i', '-e', 'A=b', '-w', '/home', 'bb:1', 'sh', '-c', 'cat; echo $A; pwd'], 'typed\n'),
    ).toEqual({ code: 0, stdout: 'typed\nb\n/home\n', stderr: '' });
  });

  it("has Docker's exit codes", async () => {
    expect((await hako(['run', '--rm', 'bb:1', 'no-such-program'])).code).toBe(127);
    expect((await hako(['run', '--rm', 'bb:1', '/etc/passwd'])).code).toBe(126);
    expect((await hako(['run', '--no-such-flag', 'bb:1'])).code).toBe(125);
    expect((await hako(['run', 'no-such-image'])).code).toBe(125);
    expect((await hako(['run', '--rm', 'bb:1', 'sh', '-c', 'kill -TERM $$; sleep 1'])).code).toBe(0);
    expect((await hako(['run', '--rm', '--init', 'bb:1', 'sh', '-c', 'kill -TERM $$; sleep 1'])).code).toBe(143);
  });

  it('keeps a detached container, and works on it', async () => {
    const { code, stdout } = await hako([
      'run',
      '-d',
      '--name',
      'kept',
      '-l',
      'a=b',
      'bb:1',
      'sh',
      '-c',
      'echo line; exec sleep 60',
    ]);
    expect(code).toBe(0);
    const id = stdout.trim();
    expect((await hako(['ps'])).stdout).toMatch(new RegExp(`${id.slice(0, 12)} +bb:1 .* Up .* kept\n`));
    expect(JSON.parse((await hako(['ps', '--format', 'json'])).stdout)).toMatchObject({
      id,
      name: 'kept',
      labels: { a: 'b' },
    });
    expect(await hako(['exec', '-u', 'app', 'kept', 'id', '-un'])).toEqual({ code: 0, stdout: 'app\n', stderr: '' });
    expect((await hako(['exec', 'kept', 'sh', '-c', 'exit 9'])).code).toBe(9);
    expect((await hako(['logs', 'kept'])).stdout).toBe('line\n');
    expect((await hako(['logs', '-t', 'kept'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line\n$/);
    expect((await hako(['rm', 'kept'])).code).toBe(125);
    expect(await hako(['stop', '-t', '0', 'kept'])).toEqual({ code: 0, stdout: 'kept\n', stderr: '' });
    expect((await hako(['ps', '-a'])).stdout).toContain('Exited (137)');
    expect((await hako(['rm', 'kept'])).code).toBe(0);
    expect((await hako(['ps', '-a', '-q'])).stdout).toBe('');
  });

  it('lists images, and tells of the host', async () => {
    expect((await hako(['images'])).stdout).toMatch(/^IMAGE .*\ndocker.io\/library\/bb:1 +[0-9a-f]{12} /);
    const info = JSON.parse((await hako(['info', '--format', 'json'])).stdout);
    expect(info).toMatchObject({ defaults: { mode: 'normal', log: 'json-file' } });
    expect((await hako(['info'])).stdout).toContain('plugin storage/overlay2');
    expect((await hako(['--help'])).stdout).toContain('Usage: hako');
    expect((await hako(['run', '--help'])).stdout).toContain('--memory');
    expect((await hako(['frobnicate'])).code).toBe(125);
  });
  it('refuses in one sentence what it does not know', async () => {
    for (const [args, message] of [
      [['run', '--rm', '--cpus', 'x', 'bb:1', 'true'], /^hako: --cpus takes a number; 'x' is none\.\n$/],
      [['logs', '-n', 'x', 'any'], /^hako: --tail takes a number/],
      [['stop', '-t', '', 'any'], /^hako: --time takes a number/],
      [['ps', '--format', 'yaml'], /^hako: --format can only be json/],
      [['ps', '--frob'], /^hako: There is no option '--frob' \(there are: -a\/--all, .*\)\.\n$/],
      [['run', '-p', '80:80', 'bb:1'], /^hako: There is no option '-p' \(there are: --name, -d\/--detach/],
    ] as const) {
      const { code, stderr } = await hako(args);
      expect(stderr).toMatch(message);
      expect(code).toBe(125);
    }
    expect((await hako(['help'])).stdout).toContain('Usage: hako');
  });

  it('takes a tar of a root filesystem when told that it is one', async () => {
    const archive = join(scratch, 'rootfs.tar');
    execFileSync('tar', ['-C', join(scratch, 'rootfs'), '-cf', archive, '.']);
    const { code, stderr } = await hako(['import', archive]);
    expect(code).toBe(125);
    expect(stderr).toContain('root filesystem');
    expect((await hako(['import', '--rootfs', '-t', 'tarred', archive])).code).toBe(0);
    expect((await hako(['run', '--rm', 'tarred', 'echo', 'hi'])).stdout).toBe('hi\n');
  });

  it('passes signals on, and removes what is to be removed', async () => {
    const child = spawn(process.execPath, [
      built.cli,
      '--root',
      join(scratch, 'root'),
      ...['run', '--rm', 'bb:1', 'sh', '-c', 'trap "echo caught; exit 7" INT; echo up; while :; do sleep 0.05; done'],
    ]);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output === 'up\n') child.kill('SIGINT');
    });
    const [code] = await once(child, 'close');
    expect(output).toBe('up\ncaught\n');
    expect(code).toBe(7);
    expect((await hako(['run', '-d', '--rm', '--name', 'gone', 'bb:1', 'true'])).code).toBe(0);
    await expect.poll(async () => (await hako(['ps', '-a', '-q'])).stdout).toBe('');
  });

  it('ends quietly when nobody reads', async () => {
    const command = (words: string) =>
      execFileSync(
        'sh',
        [
          '-c',
          `{ "$0" "$1" --root "$2" ${words}; echo "$?" >&3; } 3>"$2.code" | head -c 1`,
          process.execPath,
          built.cli,
          join(scratch, 'root'),
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 },
      );
    const exitCode = () => readFileSync(`${join(scratch, 'root')}.code`, 'utf8');
    expect(command("run --name loud bb:1 sh -c 'yes | head -c 3000000'")).toBe('y');
    expect(exitCode()).toBe('141\n');
    expect(command('logs loud')).toBe('y');
    expect(exitCode()).toBe('141\n');
    await hako(['rm', '-f', 'loud']);
  });
});
