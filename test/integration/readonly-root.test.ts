import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { Image } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { openRuntime, type TestRuntime } from '../support/test-runtime.ts';
import { ProgrammingUser } from '../support/user-program.ts';

/** What the host's own root is put together of is more than one mount, each of which could be written to. */
const places = '/ /etc /home /opt /root /srv /tmp /usr /var /var/tmp';
const writes = `for place in ${places}; do touch $place/hako-written 2>/dev/null && echo "written in $place"; done; echo done`;
const mounts = [
  { type: 'tmpfs', target: '/tmp/work' },
  { type: 'tmpfs', target: '/home' },
] as const;

describeWith({ root: true, tools: ['busybox', 'setpriv', 'unshare'] }, "a read-only root of the host's own", () => {
  let opened: TestRuntime;
  beforeAll(async () => {
    opened = await openRuntime();
    // To the root of a container in the mode rootless it is the directory of somebody else.
    chmodSync(dirname(opened.root), 0o711);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  it.each(['normal', 'privileged', 'rootless'])('is read-only everywhere in the mode %s', async (mode) => {
    const image = Image.fromHost();
    const run = async (readonlyRoot: boolean) => {
      const { stdout } = await opened.runtime.run({ image, mode, readonlyRoot, command: ['sh', '-c', writes] });
      return stdout.toString();
    };
    expect(await run(true)).toBe('done\n');
    expect(await run(false)).toContain('written in /tmp\n'); // positive control
  });

  it.each(['normal', 'rootless'])("leaves the caller's own mounts as they are in the mode %s", async (mode) => {
    const { stdout } = await opened.runtime.run({
      image: Image.fromHost(),
      mode,
      readonlyRoot: true,
      mounts,
      command: ['sh', '-c', `touch /tmp/work/mine /home/mine && echo mine; ${writes}`],
    });
    expect(stdout.toString()).toBe('mine\nwritten in /home\ndone\n');
  });

  it('tells who may not pass where, when a directory on the way is closed', async () => {
    await using closed = await openRuntime();
    await expect(closed.runtime.run({ image: Image.fromHost(), mode: 'rootless', command: ['true'] })).rejects.toThrow(
      /chmod o\+x/,
    );
  });

  it('is read-only everywhere for an ordinary user', async () => {
    using user = new ProgrammingUser({ idMapping: 'none' });
    const { stdout, stderr } = await user.run(`
      import { Image, Runtime } from 'libhako';
      await using runtime = await Runtime.open();
      const command = ['sh', '-c', ${JSON.stringify(writes)}];
      const { stdout } = await runtime.run({ image: Image.fromHost(), readonlyRoot: true, command });
      process.stdout.write(stdout);
    `);
    expect(stderr).toBe('');
    expect(stdout).toBe('done\n');
  });
});
