// All that can be done with a container's files, once round, on the runtime that is given: run in the test's process, and
// by an ordinary user. Prints what came of it as JSON.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const whole = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};
const tarList = (archive) =>
  execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: archive, encoding: 'utf8' })
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^(\S+) (\S+) +\S+ \S+ \S+ /, '$1 $2 '));

export async function fileRound(runtime, image, options = {}) {
  const scratch = mkdtempSync(join(tmpdir(), 'hako-round-'));
  chmodSync(scratch, 0o755);
  const found = {};
  const container = await runtime.containers.create({
    image,
    command: ['sleep', '1000'],
    mounts: [{ type: 'tmpfs', target: '/t' }],
    ...options,
  });
  try {
    await container.start();
    const script =
      'mkdir -p /made/sub; echo 1 > /made/one; ln -s one /made/link; rm /bin/yes; echo t > /t/in; busybox chmod 640 /made/one';
    const { exitCode, stderr } = await container.exec(['sh', '-euc', script]);
    if (exitCode !== 0) throw new Error(stderr.toString());
    mkdirSync(join(scratch, 'from'));
    writeFileSync(join(scratch, 'from/file'), 'from the host');
    for (const state of ['running', 'stopped']) {
      if (state === 'stopped') await container.stop({ timeout: 0 });
      const stat = await container.statPath('/made/link');
      const archive = tarList(await whole((await container.copyOut('/made')).stream));
      await container.copyIn(
        { files: { [`in-${state}`]: { content: 'x', uid: 0, gid: 0, mode: 0o600 } } },
        '/made/sub',
      );
      await container.copyIn(join(scratch, 'from'), `/from-${state}`);
      await container.copyOut('/made', join(scratch, state));
      const copied = statSync(join(scratch, state, 'one'));
      const exported = tarList(await whole(container.export()));
      found[state] = {
        link: stat.linkTarget,
        archive: archive.filter((line) => !line.includes('/in-')),
        host: [
          readFileSync(join(scratch, state, 'one'), 'utf8'),
          copied.uid === process.getuid(),
          readdirSync(join(scratch, state)).sort().join(),
        ],
        exported: exported.filter((line) => / (made|from-|t\/|bin\/yes)/.test(line) && !line.includes('/in-')),
        diff: (await container.diff())
          .map(({ kind, path }) => `${kind} ${path}`)
          .filter((line) => !line.includes('/in-')),
        tmpfs: state === 'running' ? (await container.statPath('/t/in')).size : null,
      };
    }
    const committed = await container.commit({
      config: {
        cmd: [
          'sh',
          '-c',
          'cat /made/one /made/sub/in-stopped /from-running/file; ls /bin/yes 2>&1 | wc -l; busybox stat -c "%u %g %a" /made/one',
        ],
      },
    });
    found.committed = (await runtime.run({ image: committed })).stdout.toString();
  } finally {
    await container.remove({ force: true });
    rmSync(scratch, { recursive: true, force: true });
  }
  return found;
}

/** What every mode and storage driver must give. */
export function expectedRound() {
  const made = [
    'drwxr-xr-x 0/0 made/',
    'lrwxrwxrwx 0/0 made/link -> one',
    '-rw-r----- 0/0 made/one',
    'drwxr-xr-x 0/0 made/sub/',
  ];
  const each = (state) => {
    const from = (state === 'running' ? ['running'] : ['running', 'stopped']).map((name) => `from-${name}`);
    return {
      link: '/made/one',
      archive: made,
      host: ['1\n', true, 'link,one,sub'],
      exported: [
        ...from.flatMap((name) => [`drwxr-xr-x 0/0 ${name}/`, `-rw-r--r-- 0/0 ${name}/file`]),
        ...made,
        'drwxr-xr-x 0/0 t/',
      ],
      diff: [
        'modified /bin',
        'deleted /bin/yes',
        ...from.flatMap((name) => [`added /${name}`, `added /${name}/file`]),
        'added /made',
        'added /made/link',
        'added /made/one',
        'added /made/sub',
        'added /t',
      ],
      tmpfs: state === 'running' ? 2 : null,
    };
  };
  return { running: each('running'), stopped: each('stopped'), committed: '1\nxfrom the host1\n0 0 640\n' };
}
