import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OrdinaryUser } from '../support/ordinary-user.ts';
import { describeWith } from '../support/requires.ts';
import { build, projectRoot, run } from './published.ts';

// What a newcomer types is `npm run hello`: dist/examples/hello.js in a clone that `npm ci` has built.
const hello = 'dist/examples/hello.js';
const greeting = /^Hello from box: I am process 1, uid 0, and see \d+ processes\.$/m;

let directory: string;
beforeAll(() => {
  build();
  directory = mkdtempSync(join(tmpdir(), 'hako-hello-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeWith({ root: true, tools: ['unshare'] }, 'as root', () => {
  test('npm run hello', () => {
    // Its root is the default one, /var/lib/hako: this machine's own must not be touched.
    mkdirSync('/var/lib/hako', { recursive: true, mode: 0o700 });
    const script = `mount --bind ${directory} /var/lib/hako && exec npm run --silent hello`;
    const said = run('unshare', ['--mount', '--propagation=private', 'sh', '-c', script], projectRoot);
    expect(said).toMatch(greeting);
    expect(said).toMatch(/mode normal/);
  });
});

for (const idMapping of ['helpers', 'none'] as const) {
  const tools = ['setpriv', 'unshare', ...(idMapping === 'helpers' ? ['newuidmap'] : [])];
  const name = `as an ordinary user, ${idMapping === 'none' ? 'without' : 'with'} newuidmap`;
  describeWith({ root: true, tools }, name, () => {
    let user: OrdinaryUser;
    beforeAll(() => {
      user = new OrdinaryUser({ idMapping });
    });
    afterAll(() => user[Symbol.dispose]());

    test('the user is no one special', async () => {
      const inspect = 'id -u; grep CapEff /proc/self/status; newuidmap 2>&1 | head -1';
      const [uid, capabilities, helper] = (await user.run(['sh', '-c', inspect])).stdout.trim().split('\n');
      expect(uid).not.toBe('0');
      expect(capabilities).toMatch(/\b0{16}$/);
      expect(helper).toMatch(idMapping === 'none' ? /Permission denied|not found/ : /usage/i);
    });

    test('npm run hello', async () => {
      const { exitCode, stdout, stderr } = await user.run([user.node, hello]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(greeting);
      expect(stdout).toMatch(/mode rootless/);
    });
  });
}
