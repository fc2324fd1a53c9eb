import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OrdinaryUser } from '../support/ordinary-user.ts';
import { describeWith } from '../support/requires.ts';
import { projectRoot, run } from './published.ts';

// What a newcomer types is `npm run hello`: dist/examples/hello.js in a clone that `npm ci` has built.
const hello = 'dist/examples/hello.js';
const greeting = /hello from a container/i;

beforeAll(() => {
  run('npm', ['run', 'build'], projectRoot);
});

test('npm run hello', () => {
  expect(run('npm', ['run', '--silent', 'hello'], projectRoot)).toMatch(greeting);
});

for (const idMapping of ['helpers', 'none'] as const) {
  const tools = ['setpriv', 'unshare', ...(idMapping === 'helpers' ? ['newuidmap'] : [])];
  describeWith(
    { root: true, tools },
    `as an ordinary user, ${idMapping === 'none' ? 'without' : 'with'} newuidmap`,
    () => {
      let user: OrdinaryUser;
      beforeAll(() => {
        user = new OrdinaryUser({ idMapping });
      });
      afterAll(() => user[Symbol.dispose]());

      test('the user is no one special', async () => {
        const { stdout } = await user.run([
          'sh',
          '-c',
          'id -u; grep CapEff /proc/self/status; command -v newuidmap || echo none',
        ]);
        const [uid, capabilities] = stdout.trim().split('\n');
        expect(uid).not.toBe('0');
        expect(capabilities).toMatch(/\b0{16}$/);
      });

      test('hello says the same as it does for root', async () => {
        const { exitCode, stdout, stderr } = await user.run([user.node, hello]);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
        expect(stdout).toMatch(greeting);
        expect(normal(stdout)).toBe(
          normal(execFileSync(process.execPath, [hello], { cwd: projectRoot, encoding: 'utf8' })),
        );
      });
    },
  );
}

/** Without what differs from run to run, as ids and times do. */
function normal(output: string): string {
  return output.replace(/[0-9a-f]{12,64}/g, '<id>').replace(/\d+(\.\d+)?\s*ms/g, '<time>');
}
