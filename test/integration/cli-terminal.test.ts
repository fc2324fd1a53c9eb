import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { useHako } from '../support/hako-command.ts';
import { describeWith } from '../support/requires.ts';

describeWith({ root: true, tools: ['busybox', 'script'], paths: [built.cli] }, 'hako on a terminal', () => {
  const hako = useHako();

  it('gives the program a terminal of the same size, raw keys, and the terminal back', async () => {
    using session = hako.terminal(
      'stty rows 33 cols 101; before=$(stty -g); hako run --rm -it bb:1 sh; echo "code $?"; [ "$before" = "$(stty -g)" ] && echo restored',
    );
    await session.sees('# ');
    session.type('stty size; tty\r');
    await session.sees(/33 101\s+\/dev\/(pts\/0|console)/);
    session.type('echo ready; cat\r');
    // The shell would take what is typed before.
    await session.sees(/cat\s+ready/);
    session.type('echoed\r');
    await session.sees(/echoed\s+echoed/);
    session.type('\u0003');
    await session.sees(/echoed[\s\S]*# /);
    session.type('exit 7\r');
    await session.sees('code 7');
    await session.sees('restored');
    expect(await session.exited).toBe(0);
  });

  it('follows the size of the window', async () => {
    using session = hako.terminal(
      'stty rows 20 cols 40; (sleep 4; stty rows 21 cols 41 < /dev/tty) & hako run --rm -it bb:1 sh -c \'trap "stty size; exit" WINCH; echo up; while :; do sleep 0.1; done\'',
    );
    await session.sees('up');
    await session.sees('21 41');
  });

  it('lets go of a program at the detach keys, and joins it again', async () => {
    using session = hako.terminal(
      'hako run --name apart -it bb:1 sh; echo "left $?"; hako attach --detach-keys ctrl-x,x apart; echo "left $?"; stty -a',
    );
    await session.sees('# ');
    session.type('mark=kept\r\u0010\u0011');
    await session.sees('left 0');
    session.type('echo "mark is $mark"\r');
    await session.sees('mark is kept');
    session.type('\u0018x');
    await session.sees(/left 0[\s\S]*left 0/);
    await session.sees(/[^-]icanon/);
    expect((await hako(['inspect', '-f', '{{.State.Status}}', 'apart'])).stdout).toBe('running\n');
    expect((await hako(['rm', '-f', 'apart'])).code).toBe(0);
  });

  it('runs further programs on it, with their exit codes', async () => {
    await hako(['run', '-d', '--name', 'host-of-execs', 'bb:1', 'sleep', '100']);
    using session = hako.terminal(
      'stty rows 44 cols 90; hako exec -it -e A=b -w /home host-of-execs sh; echo "code $?"',
    );
    await session.sees('# ');
    session.type('echo "$A $(pwd) $(stty size)"; exit 9\r');
    await session.sees('b /home 44 90');
    await session.sees('code 9');
    using keys = hako.terminal(
      'hako exec -it --detach-keys "" host-of-execs sh -c \'stty raw; echo up; head -c 2 | wc -c\'; echo "code $?"',
    );
    await keys.sees('up');
    keys.type('\u0010\u0011');
    await keys.sees(/2\s+code 0/);
    using left = hako.terminal('hako exec -it host-of-execs sh; echo "left $?"');
    await left.sees('# ');
    left.type('mark=kept\r\u0010\u0011');
    await left.sees(/--exec [0-9a-f]{12} host-of-execs\s+left 0/);
    const [, id = ''] = /--exec ([0-9a-f]{12})/.exec(left.output) ?? [];
    using joined = hako.terminal(`hako attach --exec ${id} host-of-execs; echo "code $?"`);
    joined.type('echo "mark is $mark"; exit 3\r');
    await joined.sees('mark is kept');
    await joined.sees('code 3');
    await hako(['rm', '-f', 'host-of-execs']);
  });

  it('starts and joins a container that was made for it', async () => {
    expect((await hako(['create', '-it', '--name', 'made', 'bb:1', 'sh'])).code).toBe(0);
    using session = hako.terminal('hako start -ai made; echo "code $?"');
    session.type('exit 4\r');
    await session.sees('code 4');
    await hako(['rm', 'made']);
  });

  it('cuts tables to fit, and colours them unless NO_COLOR', async () => {
    await hako(['run', '-d', '--name', 'a-name-that-is-rather-long-for-a-table', 'bb:1', 'sleep', '100']);
    using coloured = hako.terminal('stty cols 80; hako ps; echo done');
    await coloured.sees('done');
    expect(coloured.output).toContain('\u001b[32mUp');
    const lines = coloured.output.replace(/\u001b\[\d+m/g, '').split(/\r?\n/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(coloured.output).toContain('…');
    using plain = hako.terminal('NO_COLOR=1 hako ps; echo done');
    await plain.sees('done');
    expect(plain.output).not.toContain('\u001b[');
    using redrawn = hako.terminal('hako stats');
    await redrawn.sees(/CPU %[\s\S]*\u001b\[H[\s\S]*CPU %/);
    redrawn.type('\u0003');
    expect(await redrawn.exited).toBe(130);
    await hako(['rm', '-f', 'a-name-that-is-rather-long-for-a-table']);
  });

  it('asks before it prunes, and writes no tar to a terminal', async () => {
    await hako(['create', '--name', 'spare', 'bb:1', 'true']);
    using session = hako.terminal(
      'hako prune; echo "first $?"; hako prune; echo "second $?"; hako export spare; echo "third $?"',
    );
    await session.sees('[y/N]');
    session.type('n\r');
    await session.sees(/first 0[\s\S]*\[y\/N\]/);
    expect((await hako(['ps', '-a', '--format', '{{.Names}}'])).stdout).toBe('spare\n');
    session.type('y\r');
    await session.sees('Total reclaimed space: ');
    await session.sees(/not for a terminal[\s\S]*third 125/);
  });

  it('leaves the terminal as it was when it is killed', async () => {
    using session = hako.terminal(
      'before=$(stty -g); told_hako run --sig-proxy=false --name left -it bb:1 sh; echo "code $?"; [ "$before" = "$(stty -g)" ] && echo restored',
    );
    await session.sees('# ');
    process.kill(Number(/pid=(\d+)\./.exec(session.output)?.[1]), 'SIGHUP');
    await session.sees('code 129');
    await session.sees('restored');
    expect((await hako(['ps', '-q', '--filter', 'name=^left$'])).stdout).not.toBe('');
    await hako(['rm', '-f', 'left']);
  });
});
