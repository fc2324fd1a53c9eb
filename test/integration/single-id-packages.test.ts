import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { debianRoot } from '../support/debian-root.ts';
import { OrdinaryUser, type Ran } from '../support/ordinary-user.ts';
import { describeWith, findTool } from '../support/requires.ts';

const program = `
import { Runtime } from 'libhako';
const [tar, script, mode, mounts] = process.argv.slice(2);
await using runtime = await Runtime.open({ root: process.env.HOME + '/hako' });
if ((await runtime.images.list()).length === 0)
  await runtime.images.import({ kind: 'rootfs', rootfs: tar }, { reference: 'debian' });
const container = await runtime.containers.create({ image: 'debian', command: ['sh', '-c', script], mode: JSON.parse(mode), mounts: JSON.parse(mounts) });
const { degraded } = (await container.inspect()).isolation;
await container.remove();
const { exitCode, stdout, stderr } = await runtime.run({ image: 'debian', command: ['sh', '-c', script], mode: JSON.parse(mode), mounts: JSON.parse(mounts) });
console.log(JSON.stringify({ exitCode, stdout: stdout.toString(), stderr: stderr.toString(), degraded }));
`;

interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly degraded: readonly { readonly what: string; readonly why: string; readonly remedy: string }[];
}

const emulated = { driver: 'rootless', options: {} };
const honest = { driver: 'rootless', options: { idEmulation: 'none' } };

/** What packages do as root: users of their own, files of those users, a program run as one. */
const postinst = `#!/bin/sh
set -e
adduser --system --group --home /var/lib/greeting greeting >/dev/null
install -d -o greeting -g adm -m 0750 /var/lib/greeting/spool
chown -R greeting:greeting /usr/share/greeting
su -s /bin/sh greeting -c 'id -un > /var/lib/greeting/who'
`;
const control = `Package: greeting
Version: 1.0
Architecture: all
Maintainer: hako <hako@example.org>
Depends: adduser
Description: a package with a user and files of its own
`;

/** A repository of apt's with one package. */
function makeRepository(directory: string): void {
  const root = join(directory, 'package');
  for (const path of ['DEBIAN', 'usr/share/greeting']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'DEBIAN/control'), control);
  writeFileSync(join(root, 'DEBIAN/postinst'), postinst, { mode: 0o755 });
  writeFileSync(join(root, 'usr/share/greeting/text'), 'hello\n');
  const deb = join(directory, 'greeting_1.0_all.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', root, deb], { stdio: 'ignore' });
  const [size, sha256] = execFileSync('sh', ['-c', 'stat -c %s "$0"; sha256sum < "$0"', deb], {
    encoding: 'utf8',
  }).split(/\s+/);
  writeFileSync(
    join(directory, 'Packages'),
    `${control}Filename: ./greeting_1.0_all.deb\nSize: ${size}\nSHA256: ${sha256}\n`,
  );
}

function makeNpmPackage(directory: string): void {
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({ name: 'greeting', version: '1.0.0', bin: 'run.js', scripts: { postinstall: 'id -u > uid' } }),
  );
  writeFileSync(join(directory, 'run.js'), "#!/usr/bin/env node\nconsole.log('hello from', process.getuid());\n", {
    mode: 0o755,
  });
  execFileSync('npm', ['pack', '--silent'], { cwd: directory, stdio: 'ignore' });
}

const npm = findTool('npm');

describeWith(
  { root: true, tools: ['debootstrap', 'dpkg-deb', 'npm', 'setpriv', 'unshare'], paths: [built.entry] },
  'package managers, for a user with no id but their own',
  () => {
    let tar: string;
    beforeAll(() => {
      tar = debianRoot();
    }, 600_000);

    async function inDebian(
      user: OrdinaryUser,
      script: string,
      mode: object,
      mounts: Readonly<Record<string, string>>,
    ): Promise<Answer> {
      const file = join(user.project, 'program.mjs');
      writeFileSync(file, program);
      const binds = Object.entries(mounts).map(([target, source]) => ({
        type: 'bind',
        source,
        target,
        readonly: true,
      }));
      const ran: Ran = await user.run(['node', file, tar, script, JSON.stringify(mode), JSON.stringify(binds)], {
        timeoutMs: 300_000,
      });
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      return JSON.parse(ran.stdout) as Answer;
    }

    test('apt-get update and install work, with the users and owners that the package wants', {
      timeout: 600_000,
    }, async () => {
      using user = new OrdinaryUser({ idMapping: 'none' });
      const repository = join(user.project, 'repository');
      mkdirSync(repository);
      makeRepository(repository);
      execFileSync('chmod', ['-R', 'a+rX', repository]);
      const script = [
        'echo "deb [trusted=yes] copy:/repository ./" > /etc/apt/sources.list',
        'apt-get -q update >/dev/null 2>&1 || echo update failed',
        'DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends greeting >/tmp/log 2>&1 || { echo install failed; cat /tmp/log; }',
        'cat /var/lib/greeting/who; getent passwd greeting | cut -d: -f1; dpkg -s greeting | grep Status',
      ].join('\n');
      const worked = await inDebian(user, script, emulated, { '/repository': repository });
      expect(worked.stdout).toBe('greeting\ngreeting\nStatus: install ok installed\n');
      expect(worked.degraded).toContainEqual({
        what: 'more than one user',
        why: expect.stringContaining('as if they had been done (idEmulation: ignore)'),
        remedy: expect.stringContaining('uidmap'),
      });

      // The positive control: where the kernel answers, apt cannot even update.
      const refused = await inDebian(user, script, honest, { '/repository': repository });
      expect(refused.stdout).toContain('failed');
      expect(refused.degraded).toContainEqual(
        expect.objectContaining({ why: expect.stringContaining('calls that name others fail') }),
      );
    });

    test('npm install works, with its scripts', { timeout: 600_000 }, async () => {
      using user = new OrdinaryUser({ idMapping: 'none' });
      const directory = join(user.project, 'greeting');
      mkdirSync(directory);
      makeNpmPackage(directory);
      chmodSync(directory, 0o755);
      execFileSync('chmod', ['-R', 'a+rX', directory]);
      const script = [
        'npm="node /opt/npm/bin/npm-cli.js"',
        '$npm install -g --foreground-scripts --allow-scripts=greeting /greeting/greeting-1.0.0.tgz >/tmp/log 2>&1 || cat /tmp/log',
        'greeting',
        'cat "$(dirname "$(readlink -f "$(command -v greeting)")")/uid"',
      ].join('\n');
      const { stdout, exitCode } = await inDebian(user, script, emulated, {
        '/greeting': directory,
        '/opt/npm': npmDirectory(),
        '/usr/local/bin/node': user.node,
      });
      expect({ stdout, exitCode }).toEqual({ stdout: 'hello from 0\n0\n', exitCode: 0 });
    });
  },
);

/** npm's own files, from where its program is. */
function npmDirectory(): string {
  return dirname(dirname(execFileSync('readlink', ['-f', npm ?? ''], { encoding: 'utf8' }).trim()));
}
