import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Container, HakoError } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DockerPeer, withoutDockerd } from '../support/docker-peer.ts';
import { prepared, tarList, whole } from '../support/file-cases.ts';
import { describeWith } from '../support/requires.ts';
import { openRuntime, type TestRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const applets = 'umask 022; f() { busybox "$@"; }; ';
/** What both containers have, anew for each case. */
const reset = `${applets} f rm -rf /w; f mkdir -p /w/dir/sub /w/empty /w/taken/file; echo one > /w/dir/one; echo two > /w/dir/sub/two
f ln -s sub/two /w/dir/link; f ln -s dir /w/todir; f ln -s /nowhere /w/broken; f ln -s dir/one /w/tofile; echo plain > /w/file; f chown 7:8 /w/file
f chmod 2750 /w/dir; f chmod 4711 /w/file; f ln /w/dir/one /w/dir/hard; f mkfifo /w/dir/fifo`;
const list = `${applets} f find /w | f sort | while read -r name; do f stat -c '%n %F %a %u %g' "$name"; f readlink "$name" || true; [ ! -f "$name" ] || f cat "$name"; done`;
const hostSetup = `rm -rf h && mkdir -p h/d/sub h/there/d && echo x > h/d/x && echo y > h/d/sub/y && ln -s x h/d/lx && ln -s d h/ld && ln -s missing h/broken && echo f > h/f && chmod 640 h/f && chown 1234:5678 h/f && mkdir -p h/conflict/f h/conflict/one h/conflict2 && echo z > h/conflict2/dir`;
const hostList = `find h | sort | while read -r name; do stat -c '%n %F %a' "$name"; readlink "$name" || true; [ ! -f "$name" ] || [ -L "$name" ] || cat "$name"; done`;

const into: readonly (readonly [from: string, to: string, ...flags: string[]])[] = [
  ['h/f', '/w/new'],
  ['h/f', '/w/new/'],
  ['h/f', '/w/none/new'],
  ['h/f', '/w/empty'],
  ['h/f', '/w/empty/'],
  ['h/f', '/w/empty/.'],
  ['h/f', '/w/file'],
  ['h/f', '/w/file/'],
  ['h/f', '/w/todir'],
  ['h/f', '/w/todir/'],
  ['h/f', '/w/tofile'],
  ['h/f', '/w/broken'],
  ['h/f', '/w/taken/f'],
  ['h/d', '/w/new'],
  ['h/d', '/w/new/'],
  ['h/d', '/w/none/new'],
  ['h/d', '/w/empty'],
  ['h/d/', '/w/empty'],
  ['h/d/.', '/w/empty'],
  ['h/d/.', '/w/new'],
  ['h/d/.', '/w/new/'],
  ['h/d', '/w/file'],
  ['h/d/.', '/w/file'],
  ['h/d', '/w/todir'],
  ['h/ld', '/w/empty'],
  ['h/ld/', '/w/empty'],
  ['h/ld/.', '/w/empty'],
  ['h/ld', '/w/new'],
  ['h/ld', '/w/empty', '-L'],
  ['h/ld', '/w/new', '-L'],
  ['h/d/lx', '/w/new'],
  ['h/d/lx', '/w/new', '-L'],
  ['h/d/lx', '/w/empty', '-L'],
  ['h/broken', '/w/new'],
  ['h/broken', '/w/new', '-L'],
  ['h/none', '/w/new'],
  ['h/f/', '/w/new'],
  ['h/f/.', '/w/new'],
  ['h/conflict/.', '/w'],
  ['h/conflict2/.', '/w'],
  ['h/f', '/w/../w/./new'],
  ['h/f', 'w/new'],
  ['h/f', '/w/new', '-a'],
  ['h/d', '/w/new', '-a'],
];
const out: readonly (readonly [from: string, to: string, ...flags: string[]])[] = [
  ['/w/file', 'h/new'],
  ['/w/file', 'h/new/'],
  ['/w/file', 'h/none/new'],
  ['/w/file', 'h/there'],
  ['/w/file', 'h/f'],
  ['/w/file', 'h/f/'],
  ['/w/file', 'h/ld'],
  ['/w/file', 'h/broken'],
  ['/w/dir', 'h/new'],
  ['/w/dir', 'h/new/'],
  ['/w/dir', 'h/there'],
  ['/w/dir/', 'h/there'],
  ['/w/dir/.', 'h/there'],
  ['/w/dir/.', 'h/new'],
  ['/w/dir', 'h/f'],
  ['/w/dir/.', 'h/f'],
  ['/w/todir', 'h/new'],
  ['/w/todir/', 'h/new'],
  ['/w/todir/', 'h/there'],
  ['/w/todir/.', 'h/there'],
  ['/w/todir', 'h/new', '-L'],
  ['/w/todir', 'h/there', '-L'],
  ['/w/tofile', 'h/new'],
  ['/w/tofile', 'h/new', '-L'],
  ['/w/tofile', 'h/there', '-L'],
  ['/w/broken', 'h/new'],
  ['/w/broken', 'h/new', '-L'],
  ['/w/none', 'h/new'],
  ['/w/file/', 'h/new'],
  ['/w/file/.', 'h/new'],
  ['w/file', 'h/new'],
  ['/w/dir/../file', 'h/new'],
  ['/w/file', 'h/new', '-a'],
  ['/w/dir', 'h/conflict2'],
];

describeWith(
  { root: true, tools: ['docker', 'busybox', 'tar'], peer: withoutDockerd },
  'files, as docker has them',
  () => {
    let peer: DockerPeer;
    let opened: TestRuntime;
    let ours: Container;
    let theirs: string;
    let base: string;
    let hosts: { readonly hako: string; readonly docker: string };

    const docker = (...argv: string[]) =>
      spawnSync('docker', argv, {
        encoding: 'utf8',
        cwd: hosts.docker,
        env: { ...process.env, DOCKER_HOST: peer.socket },
      });
    const onHost = (script: string, cwd: string) => execFileSync('sh', ['-c', script], { cwd, encoding: 'utf8' });
    const inBoth = async (script: string) => {
      const [one, other] = [await ours.exec(['sh', '-c', script]), docker('exec', theirs, 'sh', '-c', script)];
      return { hako: one.stdout.toString(), docker: other.stdout };
    };
    const hako = async (copy: () => Promise<unknown>): Promise<string> => {
      try {
        await copy();
        return 'done';
      } catch (error) {
        if (!(error instanceof HakoError)) throw error;
        return `refused: ${error.message}`;
      }
    };
    const outcome = (text: string) => text.split(':')[0];

    beforeAll(async () => {
      hosts = { hako: mkdtempSync(join(tmpdir(), 'hako-host-')), docker: mkdtempSync(join(tmpdir(), 'docker-host-')) };
      [peer, opened] = await Promise.all([DockerPeer.start({}), openRuntime()]);
      ours = await prepared(opened.runtime, 'true');
      theirs = docker(
        'run',
        '-d',
        '--network=none',
        '-e',
        'PATH=/bin',
        'hako-bench:busybox',
        'sleep',
        '1000',
      ).stdout.trim();
      expect(theirs).toMatch(/^[0-9a-f]{64}$/);
      // The same image for both, with something in it to change.
      const rootfs = writeBusyboxRoot(join(hosts.hako, 'base'));
      const content =
        'mkdir -p base/base/dir/sub base/dev base/proc base/sys; echo one > base/base/dir/one; ln -s dir base/base/link; touch -d 2020-01-01 base/base/dir/one';
      onHost(content, hosts.hako);
      await opened.runtime.images.import({ kind: 'rootfs', rootfs }, { reference: 'base' });
      base = execFileSync('sh', ['-c', `tar -C ${rootfs} -c . | docker import -`], {
        encoding: 'utf8',
        env: { ...process.env, DOCKER_HOST: peer.socket },
      }).trim();
    }, 120_000);
    afterAll(async () => {
      if (peer !== undefined && theirs) docker('rm', '-f', theirs);
      await Promise.all([peer?.[Symbol.asyncDispose](), opened?.[Symbol.asyncDispose]()]);
      for (const directory of Object.values(hosts)) rmSync(directory, { recursive: true, force: true });
    });

    it.each(into)('docker cp %s c:%s %s', async (from, to, ...flags) => {
      await inBoth(reset);
      for (const directory of Object.values(hosts)) onHost(hostSetup, directory);
      const their = docker('cp', '-q', ...flags, from, `${theirs}:${to}`);
      // Docker says that without -a everything becomes root's, and keeps ids all the same.
      const relative = from.endsWith('/') || from.endsWith('/.') ? `${hosts.hako}/${from}` : join(hosts.hako, from);
      const our = await hako(() => ours.copyIn(relative, to, { followLink: flags.includes('-L'), archive: true }));
      const seen = await inBoth(list);
      expect(`${outcome(our)}\n${seen.hako}`, their.stderr).toBe(
        `${their.status === 0 ? 'done' : 'refused'}\n${seen.docker}`,
      );
    });

    it.each(out)('docker cp c:%s %s %s', async (from, to, ...flags) => {
      await inBoth(reset);
      for (const directory of Object.values(hosts)) onHost(hostSetup, directory);
      const their = docker('cp', '-q', ...flags, `${theirs}:${from}`, to);
      const our = await hako(() =>
        ours.copyOut(from, `${hosts.hako}/${to}`, {
          followLink: flags.includes('-L'),
          archive: flags.includes('-a'),
          keepSpecial: true,
        }),
      );
      expect(`${outcome(our)}\n${onHost(hostList, hosts.hako)}`, their.stderr).toBe(
        `${their.status === 0 ? 'done' : 'refused'}\n${onHost(hostList, hosts.docker)}`,
      );
    });

    const asked = [
      '/w/file',
      '/w/dir',
      '/w/dir/',
      '/w/dir/.',
      '/w/todir',
      '/w/todir/',
      '/w/todir/.',
      '/w/tofile',
      '/w/broken',
      '/w/none',
      '/w/file/',
      '/w/dir/fifo',
      '/',
      '/.',
      'w',
    ];

    it.each(asked)('HEAD and GET archive?path=%s', async (path) => {
      await inBoth(reset);
      const answer = await get(peer, 'HEAD', `/containers/${theirs}/archive?path=${encodeURIComponent(path)}`);
      const header = answer.headers['x-docker-container-path-stat'];
      if (header === undefined) {
        await expect(ours.copyOut(path)).rejects.toBeInstanceOf(HakoError);
        return;
      }
      const archive = await ours.copyOut(path);
      const known = (text: string) => ({ ...JSON.parse(Buffer.from(text, 'base64').toString()), mtime: '' });
      const [our, their] = [known(archive.header), known(`${header}`)];
      // A directory's size is its filesystem's affair.
      expect(archive.stat.type === 'directory' ? { ...our, size: their.size } : our).toEqual(their);
      const listed = tarList(await whole(archive.stream));
      if (path === '/' || path === '/.') return; // other programs lie there
      const { body } = await get(peer, 'GET', `/containers/${theirs}/archive?path=${encodeURIComponent(path)}`);
      const plain = (lines: readonly string[]) =>
        lines.map((line) => line.replace(/ link to .*/, '').replace(/^h/, '-')).sort();
      expect(plain(listed)).toEqual(plain(tarList(body)));
    });

    const changes: readonly (readonly [title: string, script: string])[] = [
      ['a file is added', 'echo a > /added; f mkdir -p /x/y/z; echo a > /x/y/z/a'],
      ['a file is modified', 'echo a >> /base/dir/one'],
      ['a file is touched only', 'f touch /base/dir/one'],
      ['a file is opened for writing only', ': >> /base/dir/one'],
      ['a mode and an owner change', 'f chmod 600 /base/dir/one; f chown 5:6 /base/dir/sub'],
      ['a file is deleted', 'f rm /base/dir/one'],
      ['a directory is deleted', 'f rm -r /base/dir'],
      [
        'a directory is made anew',
        'f rm -r /base/dir; f mkdir /base/dir; echo n > /base/dir/new; echo o > /base/dir/one',
      ],
      ['a directory becomes a file', 'f rm -r /base/dir; echo n > /base/dir'],
      ['a file becomes a directory', 'f rm /base/dir/one; f mkdir /base/dir/one; echo n > /base/dir/one/in'],
      ['a file is renamed', 'f mv /base/dir/one /base/dir/other'],
      ['a directory is renamed', 'f mv /base/dir /base/moved'],
      ['a symbolic link is changed', 'f rm /base/link; f ln -s elsewhere /base/link'],
      ['a hard link is made', 'f ln /base/dir/one /base/dir/hard'],
      ['what was added is deleted again', 'echo a > /base/dir/new; f rm /base/dir/new'],
      [
        'what was deleted is made again',
        'f cp -p /base/dir/one /k; f rm /base/dir/one; f cp -p /k /base/dir/one; f rm /k',
      ],
    ];

    it.each(changes)('docker diff, when %s', async (_title, script) => {
      const command = `${applets} ${script}`;
      const container = await opened.runtime.containers.create({ image: 'base', command: ['sh', '-c', command] });
      await container.start();
      await container.wait();
      const id = docker('create', '--network=none', '-e', 'PATH=/bin', base, 'sh', '-c', command).stdout.trim();
      docker('start', '-a', id);
      try {
        const letters = { added: 'A', modified: 'C', deleted: 'D' };
        const our = (await container.diff()).map(({ kind, path }) => `${letters[kind]} ${path}`);
        const their = docker('diff', id).stdout.trim();
        expect([...our].sort()).toEqual(their === '' ? [] : their.split('\n').sort());
      } finally {
        await container.remove({ force: true });
        docker('rm', '-f', id);
      }
    });
  },
);

function get(peer: DockerPeer, method: string, path: string): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: peer.socket.replace('unix://', ''), method, path }, (response) => {
      whole(response).then((body) => resolve({ headers: response.headers, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}
