import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Image } from 'libhako';
import { expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { thisHost } from '../support/isolated-run.ts';
import { OrdinaryUser } from '../support/ordinary-user.ts';
import { describeWith } from '../support/requires.ts';
import { openRuntime } from '../support/test-runtime.ts';

/** Opens a runtime, and prints the sentence of what came of it. */
const program = (entry: string): string => `
import { Runtime } from ${JSON.stringify(entry)};
try {
  const runtime = await Runtime.open({ mode: 'rootless' });
  await runtime.close();
  console.log('opened');
} catch (error) {
  console.log(error.code + ' ' + error.message);
}
`;

const host = await thisHost();

describeWith(
  {
    root: true,
    tools: ['setpriv', 'unshare'],
    paths: [built.entry],
    other: () => (host.userNamespaces.supported ? undefined : host.userNamespaces.reason),
  },
  'where user namespaces are blocked',
  () => {
    const inLimit = async (limit: string): Promise<string> => {
      const directory = mkdtempSync(join(tmpdir(), 'hako-blocked-'));
      try {
        const script = join(directory, 'open.mjs');
        writeFileSync(script, program(built.entry));
        // The limit of a user namespace of the test's own: the machine's stays as it is.
        const command = `echo ${limit} > /proc/sys/user/max_user_namespaces; exec "$0" "$1"`;
        const { stdout } = await promisify(execFile)(
          'unshare',
          ['--user', '--map-root-user', 'sh', '-c', command, process.execPath, script],
          { env: { ...process.env, HAKO_ROOT: join(directory, 'root') } },
        );
        return stdout;
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    };

    test('by a limit of their number, the error names the sysctl and how to raise it', async () => {
      expect(await inLimit('0')).toMatch(
        /^HAKO_ERR_PLUGIN_UNSUPPORTED .*user namespace cannot be made.*sysctl -w user\.max_user_namespaces=15000/,
      );
    });

    test('the positive control: with room under the limit, all is well', async () => {
      expect(await inLimit('100')).toBe('opened\n');
    });

    test('by the seccomp filter of a container around, the error says so, and how that one is to be run', async () => {
      using user = new OrdinaryUser({ idMapping: 'none' });
      await using outer = await openRuntime();
      writeFileSync(join(user.project, 'open.mjs'), program('/project/dist/src/index.js'));
      const run = async (more: object) =>
        (
          await outer.runtime.run({
            image: Image.fromHost(),
            command: ['/project/bin/node', '/project/open.mjs'],
            user: '23456',
            env: { HAKO_ROOT: '/tmp/hako' },
            mounts: [
              { type: 'bind', source: user.project, target: '/project', readonly: true },
              { type: 'tmpfs', target: '/tmp' },
            ],
            ...more,
          })
        ).stdout.toString();
      expect(await run({})).toMatch(
        /^HAKO_ERR_HOST_UNSUPPORTED .*seccomp filter that this process is under.*--security-opt seccomp=unconfined/,
      );
      // The positive control: it was the filter.
      expect(await run({ seccomp: 'unconfined' })).not.toContain('seccomp');
    });
  },
);
