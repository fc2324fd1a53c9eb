import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { useHako } from '../support/hako-command.ts';
import { describeWith } from '../support/requires.ts';

describeWith({ root: true, tools: ['busybox'], paths: [built.cli] }, 'the command hako', () => {
  const hako = useHako();
  const { scratch } = hako;

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
    await hako(['run', '-d', '--name', 'codes', 'bb:1', 'sleep', '60']);
    expect((await hako(['exec', '-w', '/none', 'codes', 'true'])).code).toBe(127);
    expect((await hako(['exec', '-w', '/etc/passwd', 'codes', 'true'])).code).toBe(126);
    await hako(['rm', '-f', 'codes']);
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
      ID: id.slice(0, 12),
      Names: 'kept',
      Labels: 'a=b',
      State: 'running',
    });
    expect(await hako(['exec', '-u', 'app', 'kept', 'id', '-un'])).toEqual({ code: 0, stdout: 'app\n', stderr: '' });
    expect((await hako(['exec', 'kept', 'sh', '-c', 'exit 9'])).code).toBe(9);
    expect((await hako(['logs', 'kept'])).stdout).toBe('line\n');
    expect((await hako(['logs', '-t', 'kept'])).stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line\n$/);
    expect(await hako(['rm', 'kept'])).toEqual({
      code: 1,
      stdout: '',
      stderr: "hako: Container 'kept' is running. Stop it first, or remove it with hako rm -f.\n",
    });
    expect(await hako(['stop', '-t', '0', 'kept'])).toEqual({ code: 0, stdout: 'kept\n', stderr: '' });
    expect((await hako(['ps', '-a'])).stdout).toContain('Exited (137)');
    expect((await hako(['rm', 'kept'])).code).toBe(0);
    expect((await hako(['ps', '-a', '-q'])).stdout).toBe('');
  });

  it('lists images, and tells of the host', async () => {
    const { stdout } = await hako(['images']);
    expect(stdout).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\nbb +1 +[0-9a-f]{12} .* ago +[\d.]+MB\n$/);
    const info = JSON.parse((await hako(['info', '--format', 'json'])).stdout);
    expect(info).toMatchObject({ defaults: { mode: 'normal', log: 'json-file' } });
    expect((await hako(['info'])).stdout).toContain('plugin storage/overlay2');
    expect((await hako(['--help'])).stdout).toContain('Usage: hako');
    expect((await hako(['run', '--help'])).stdout).toContain('-m, --memory BYTES');
    expect((await hako(['help', 'exec'])).stdout).toContain('Usage: hako exec [OPTIONS] CONTAINER COMMAND [ARG…]');
    expect(JSON.parse((await hako(['version', '-f', 'json'])).stdout)).toMatchObject({ node: process.versions.node });
    expect((await hako(['--version'])).stdout).toMatch(/^hako: +\d/);
    expect((await hako(['frobnicate'])).code).toBe(125);
  });
  it('refuses in one sentence what it does not know', async () => {
    for (const [args, message] of [
      [['run', '--rm', '--cpus', 'x', 'bb:1', 'true'], /^hako: --cpus takes a number; 'x' is none\.\n$/],
      [['logs', '-n', 'x', 'any'], /^hako: --tail takes a number of lines, or all/],
      [['stop', '-t', '', 'any'], /^hako: -t takes a number/],
      [['ps', '--format', '{{range .}}'], /^hako: --format can be json, or hold/],
      [['ps', '--frob'], /^hako: There is no option '--frob'; hako ps --help lists those that there are\.\n$/],
      [['run', '-y', '80:80', 'bb:1'], /^hako: There is no option '-y'; hako run --help/],
      [
        ['run', '--network', 'bridge', 'bb:1'],
        /^hako: --network: 'bridge' is none: write none, host or container:NAME/,
      ],
      [['run', '-p', '80:80', 'bb:1'], /^hako: There is no option '-p'; hako has no networks yet/],
      [['run', '--gpus', 'all', 'bb:1'], /^hako: There is no option '--gpus'; give the devices/],
      [['run', '-m', 'much', 'bb:1'], /^hako: --memory: invalid size: 'much'/],
      [['run', '--rm', '--restart', 'always', 'bb:1'], /^hako: --rm, --restart: a container that is removed/],
      [['run', '--pids-limit', '1.5', '--cap-add', 'FLY', 'bb:1'], /^hako: .*--pids-limit: /],
      [['run', '--health-tcp', '0', 'bb:1'], /^hako: --health-tcp: /],
      [['run', '-it', 'bb:1'], /^hako: The input is not a terminal; leave out -t/],
      [['run', '-d', '-a', 'stdout', 'bb:1'], /^hako: --attach and --detach contradict/],
      [['run', '-a', 'stdboth', 'bb:1'], /^hako: --attach: 'stdboth' is no stream/],
      [['run', '--storage-opt', 'inodes=3', 'bb:1'], /^hako: --storage-opt: 'inodes=3' is none/],
      [['run', '-v', 'named:/data', 'bb:1'], /^hako: --volume: 'named:\/data' is none/],
      [['run', '--security-opt', 'nonsense', 'bb:1'], /^hako: --security-opt: 'nonsense' is not known/],
      [['run', '--pull', 'always', 'bb:1'], /^hako: --pull always: hako pulls no images/],
      [['run', '--env-file', '/no/such', 'bb:1'], /^hako: --env-file: '\/no\/such' cannot be read \(ENOENT\)\.\n$/],
      [['cp', '/a', '/b'], /^hako: Write CONTAINER:PATH for one of the two sides\.\n$/],
      [['rm'], /^hako: Write hako rm CONTAINER…; see --help\.\n$/],
      [['prune'], /^hako: This removes all containers that do not run; write --force to mean it\.\n$/],
    ] as const) {
      const { code, stderr } = await hako(args);
      expect(stderr).toMatch(message);
      expect(code).toBe(125);
    }
    expect((await hako(['help'])).stdout).toContain('Usage: hako');
  });

  it('shows only the streams that were asked for', async () => {
    const both = ['bb:1', 'sh', '-c', 'echo out; echo err >&2'];
    expect(await hako(['run', '--rm', '-a', 'stderr', ...both])).toEqual({ code: 0, stdout: '', stderr: 'err\n' });
    expect(await hako(['run', '--rm', '-q', '-a', 'STDOUT', ...both])).toEqual({
      code: 0,
      stdout: 'out\n',
      stderr: '',
    });
  });

  it('fails with 1 where Docker does, and takes rm -fv of what is not there', async () => {
    for (const args of [
      ['logs', 'none'],
      ['exec', 'none', 'true'],
      ['start', '-a', 'none'],
      ['rmi', 'none'],
    ])
      expect((await hako(args)).code, args.join(' ')).toBe(1);
    const gone = await hako(['rm', '-fv', 'none']);
    expect(gone).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining("no container 'none'") });
  });

  it('takes a tar of a root filesystem when told that it is one', async () => {
    const archive = join(scratch, 'rootfs.tar');
    execFileSync('tar', ['-C', join(scratch, 'rootfs'), '-cf', archive, '.']);
    const { code, stderr } = await hako(['import', archive]);
    expect(code).toBe(1);
    expect(stderr).toContain(`If it is a root filesystem and not an image, say so: hako import --rootfs ${archive}.\n`);
    expect((await hako(['import', '--rootfs', '-t', 'tarred', archive])).code).toBe(0);
    expect((await hako(['run', '--rm', 'tarred', 'echo', 'hi'])).stdout).toBe('hi\n');
  });

  it('passes signals on, and removes what is to be removed', async () => {
    const [program = '', ...words] = hako.argv;
    const child = spawn(
      program,
      [
        ...words,
        'run',
        '--rm',
        'bb:1',
        'sh',
        '-c',
        'trap "echo caught; exit 7" INT; echo up; while :; do sleep 0.05; done',
      ],
      { env: hako.env },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output === 'up\n') child.kill('SIGINT');
    });
    const [code] = await once(child, 'close');
    expect(output).toBe('up\ncaught\n');
    expect(code).toBe(7);
    expect((await hako(['run', '-d', '--rm', '--name', 'gone', 'bb:1', 'true'])).code).toBe(0);
    await expect.poll(async () => (await hako(['ps', '-a', '-q'])).stdout, { timeout: 20_000 }).toBe('');
  });

  it('ends quietly when nobody reads', async () => {
    const codeFile = join(scratch, 'code');
    const command = (words: string) =>
      execFileSync('sh', ['-c', `{ "$@" ${words}; echo "$?" >&3; } 3>'${codeFile}' | head -c 1`, 'sh', ...hako.argv], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: hako.env,
        timeout: 30_000,
      });
    const exitCode = () => readFileSync(codeFile, 'utf8');
    expect(command("run --name loud bb:1 sh -c 'yes | head -c 3000000'")).toBe('y');
    expect(exitCode()).toBe('141\n');
    expect(command('logs loud')).toBe('y');
    expect(exitCode()).toBe('141\n');
    await hako(['rm', '-f', 'loud']);
  });
});
