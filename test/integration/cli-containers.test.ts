import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { useHako } from '../support/hako-command.ts';
import { describeWith } from '../support/requires.ts';

describeWith({ root: true, tools: ['busybox'], paths: [built.cli] }, 'hako on containers', () => {
  const hako = useHako();
  const { scratch } = hako;
  const ok = async (...args: readonly string[]) => {
    const outcome = await hako(args);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    return outcome.stdout;
  };

  it('leads one through its life', async () => {
    const cidfile = join(scratch, 'cid');
    const id = (
      await ok('create', '--cidfile', cidfile, '--name', 'life', '--stop-timeout', '0', 'bb:1', 'sleep', '100')
    ).trim();
    expect(readFileSync(cidfile, 'utf8')).toBe(id);
    expect((await hako(['create', '--cidfile', cidfile, 'bb:1', 'true'])).stderr).toMatch(
      /cannot be made \(EEXIST\)\.\n$/,
    );
    expect(await ok('ps', '-aq', '--no-trunc')).toBe(`${id}\n`);
    expect(await ok('start', 'life')).toBe('life\n');
    expect(await ok('pause', 'life')).toBe('life\n');
    expect(await ok('ps', '--filter', 'status=paused', '--format', '{{.Names}} {{.Status}}')).toMatch(
      /^life Up .* \(Paused\)\n$/,
    );
    expect(await ok('unpause', 'life')).toBe('life\n');
    await ok('rename', 'life', 'second');
    expect(await ok('restart', 'second')).toBe('second\n');
    expect(await ok('kill', '-s', 'KILL', 'second')).toBe('second\n');
    expect(await ok('wait', 'second')).toBe('137\n');
    expect(await ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.Name}}', 'second')).toBe(
      'exited 137 second\n',
    );
    expect(await ok('ps', '-q', '--filter', 'exited=137')).toBe(`${id.slice(0, 12)}\n`);
    const actions = await ok(
      'events',
      '--since',
      '1h',
      '--until',
      '0s',
      '--filter',
      `container=${id}`,
      '--format',
      '{{.Action}}',
    );
    expect(actions.split('\n')).toEqual(expect.arrayContaining(['start', 'die', 'pause', 'unpause', 'rename', 'kill']));
    expect(await ok('events', '--since', '1h', '--until', '0s', '--filter', 'event=rename')).toMatch(
      new RegExp(`^\\S+Z container rename ${id} \\(.*name=second\\)\\n$`),
    );
    expect(await ok('rm', 'second')).toBe('second\n');
  });

  it('goes on with the others when one fails', async () => {
    await ok('create', '--name', 'one', 'bb:1', 'true');
    await ok('create', '--name', 'two', 'bb:1', 'true');
    const { code, stdout, stderr } = await hako(['rm', 'one', 'nobody', 'two']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'one\ntwo\n' });
    expect(stderr).toMatch(/^hako: There is no container 'nobody'. List those that there are with hako ps -a\.\n$/);
    expect(await hako(['inspect', 'nobody'])).toEqual({
      code: 1,
      stdout: '[]\n',
      stderr: "hako: There is neither a container nor an image 'nobody'.\n",
    });
  });

  it('tells what one uses and runs, and limits it', async () => {
    await ok('run', '-d', '--name', 'busy', '-m', '64m', 'bb:1', 'sleep', '100');
    const [stats = ''] = (await ok('stats', '--no-stream', '--format', 'json', 'busy')).split('\n');
    expect(JSON.parse(stats)).toMatchObject({
      Name: 'busy',
      PIDs: '1',
      NetIO: '--',
      MemUsage: expect.stringMatching(/ \/ 64MiB$/),
    });
    expect(await ok('stats', '--no-stream')).toMatch(
      /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS\n/,
    );
    expect(await ok('update', '-m', '32m', '--pids-limit', '50', 'busy')).toBe('busy\n');
    expect(await ok('inspect', '-f', '{{json .Options.Resources}}', 'busy')).toBe('{"memory":"32m","pids":50}\n');
    expect(await ok('top', 'busy', '-o', 'pid,args')).toMatch(/^PID +COMMAND\n\d+ +sleep 100\n$/);
    expect((await hako(['rm', 'busy'])).code).toBe(1);
    await ok('rm', '-f', 'busy');
  });

  it('copies, compares, exports and commits', async () => {
    await ok('create', '--name', 'files', 'bb:1', 'sleep', '100');
    const source = join(scratch, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content\n');
    await ok('cp', source, 'files:/root/taken');
    await ok('cp', 'files:/root/taken/file', join(scratch, 'back'));
    expect(readFileSync(join(scratch, 'back'), 'utf8')).toBe('content\n');
    expect(await ok('diff', 'files')).toBe('C /root\nA /root/taken\nA /root/taken/file\n');
    // Through pipes, as a tar.
    const [program = '', ...words] = hako.argv;
    const pipe = (script: string) =>
      execFileSync(
        'sh',
        ['-c', `hako() { "$0" "$@"; }; ${script.replaceAll('hako ', `hako ${words.join(' ')} `)}`, program],
        {
          encoding: 'utf8',
          env: hako.env,
        },
      );
    pipe('hako cp files:/root/taken - | hako cp - files:/home');
    expect(pipe('hako cp files:/home/taken/file - | tar -xO')).toBe('content\n');
    expect(pipe('hako export files | tar -t')).toContain('home/taken/file\n');
    await ok('export', '-o', join(scratch, 'root.tar'), 'files');
    expect(existsSync(join(scratch, 'root.tar'))).toBe(true);
    const id = (
      await ok('commit', '-m', 'why', '-a', 'me', '-c', 'CMD ["cat", "/root/taken/file"]', 'files', 'made:1')
    ).trim();
    expect(await ok('run', '--rm', 'made:1')).toBe('content\n');
    await ok('tag', 'made:1', 'other:2');
    expect(await ok('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', '--no-trunc')).toContain(
      `docker.io/library/other:2 ${id}\n`,
    );
    expect(JSON.parse(await ok('inspect', '--type', 'image', 'other:2'))).toMatchObject([{ id }]);
    expect(await ok('rmi', 'other:2', 'made:1')).toBe('other:2\nmade:1\n');
    pipe(`hako import --rootfs - from-pipe < ${join(scratch, 'root.tar')}`);
    expect(await ok('run', '--rm', 'from-pipe', 'cat', '/root/taken/file')).toBe('content\n');
    await ok('rm', 'files');
  });

  it('follows a log until its end, and prints what is asked for', async () => {
    await ok(
      'run',
      '-d',
      '--name',
      'talker',
      'bb:1',
      'sh',
      '-c',
      'for i in 1 2 3; do echo "line $i"; sleep 0.3; done; echo oops >&2',
    );
    expect(await hako(['logs', '-f', 'talker'])).toEqual({
      code: 0,
      stdout: 'line 1\nline 2\nline 3\n',
      stderr: 'oops\n',
    });
    expect(await hako(['logs', '-n', '1', 'talker'])).toEqual({ code: 0, stdout: '', stderr: 'oops\n' });
    expect(await ok('logs', '--until', '2000-01-01', 'talker')).toBe('');
    await ok('rm', 'talker');
  });

  it('reads variables from a file, with the command that npm installs', async () => {
    const file = join(scratch, 'variables');
    writeFileSync(file, 'FROM_FILE=a value\n');
    expect(await ok('run', '--rm', '--env-file', file, 'bb:1', 'sh', '-c', 'echo "$FROM_FILE"')).toBe('a value\n');
    expect((await hako(['run', '--env-file', '/no/such', 'bb:1', 'true'])).stderr).toBe(
      "hako: --env-file: '/no/such' cannot be read (ENOENT).\n",
    );
  });

  it('has a program of its own in the background', async () => {
    await ok('run', '-d', '--name', 'behind', 'bb:1', 'sleep', '100');
    expect(await ok('exec', '-d', 'behind', 'sh', '-c', 'sleep 1; touch /done; sleep 50')).toBe('');
    await expect.poll(async () => (await hako(['exec', 'behind', 'ls', '/done'])).code, { timeout: 20_000 }).toBe(0);
    expect(await ok('stop', '-t', '0', 'behind')).toBe('behind\n');
    expect(await ok('prune', '-f', '--filter', 'label!=keep')).toMatch(
      /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: [\d.]+k?B\n$/,
    );
  });
});
