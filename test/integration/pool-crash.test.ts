import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Runtime } from 'libhako';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { OrdinaryUser } from '../support/ordinary-user.ts';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, writeBusyboxRoot } from '../support/test-runtime.ts';

const parentOf = (pid: string) => /(?<=^PPid:\t)\d+/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[0] ?? '';

/** The supervisors of a process, and the processes below them. */
function descendants(ancestor: number): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const parent = parentOf(pid);
      return parent === String(ancestor) || parentOf(parent) === String(ancestor);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

describeWith({ root: true, tools: ['busybox'], paths: [built.entry] }, 'kill -9 of a process with a pool', () => {
  it('leaves no process, no control group and no container', async () => {
    await using test = await openRuntime();
    const program = `
      import { Runtime } from ${JSON.stringify(built.entry)};
      const runtime = await Runtime.open({ root: ${JSON.stringify(test.root)} });
      const pool = await runtime.containers.pool({ image: '${image}', size: 3 });
      await pool.ready();
      void pool.run(['sleep', '1000']);
      setTimeout(() => console.log('ready'), 50);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const processes = descendants(child.pid as number);
    expect(processes.length).toBeGreaterThanOrEqual(6);
    const records = await test.runtime.containers.list();
    expect(
      records
        .map(({ state }) => state.status)
        .sort()
        .slice(0, 1),
    ).toEqual(['running']);
    const groups = processes
      .map((pid) => /^\d+:(?:.*,)?pids(?:,.*)?:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1])
      .filter((path) => path?.includes('hako'))
      .map((path) => `/sys/fs/cgroup/pids${path}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect.poll(() => processes.filter((pid) => existsSync(`/proc/${pid}/exe`)), { timeout: 5000 }).toEqual([]);
    await using next = await Runtime.open({ root: test.root });
    expect(await next.containers.list()).toEqual([]);
    expect(groups.filter((path) => existsSync(path))).toEqual([]);
    expect(readdirSync(join(test.root, 'containers'))).toEqual([]);
  });
});

describeWith({ root: true, tools: ['busybox', 'setpriv', 'unshare'], paths: [built.entry] }, 'an ordinary user', () => {
  it.each(['none', 'helpers'] as const)(
    'keeps containers ready (id mapping: %s)',
    { timeout: 60_000 },
    async (idMapping) => {
      using user = new OrdinaryUser({ idMapping });
      const rootfs = join(user.project, 'rootfs');
      mkdirSync(rootfs);
      writeBusyboxRoot(rootfs);
      const program = `
      import { Runtime } from 'libhako';
      await using runtime = await Runtime.open({ root: process.env.HOME + '/root' });
      const image = await runtime.images.import(process.argv[2]);
      const pool = await runtime.containers.pool({ image, size: 2 });
      await pool.ready();
      const say = async (text) => (await pool.run(['sh', '-c', 'id -u; touch /new; echo $A; cat'], { input: text, env: { A: 'b' } })).stdout.toString();
      const said = [await say('one'), await say('two'), await say('three')];
      await pool.close();
      console.log(JSON.stringify({ said, left: (await runtime.containers.list()).length }));
    `;
      const script = join(user.project, 'program.mjs');
      writeFileSync(script, program);
      const ran = await user.run(['node', script, rootfs]);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      expect(JSON.parse(ran.stdout)).toEqual({ said: ['one', 'two', 'three'].map((text) => `0\nb\n${text}`), left: 0 });
    },
  );
});
