import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { exec, idle, runShell, setup } from './support/container.ts';
import * as naive from './support/naive-runtime.ts';
import { Rootfs } from './support/rootfs.ts';

/** A host that has a null device of its own: the real one of this machine is at no risk. */
class HostNull implements Disposable {
  private readonly directory = new Rootfs();
  readonly path = this.directory.at('null');
  /** What a supervisor runs under that is to see it as /dev/null. */
  readonly prefix = ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /dev/null && exec "$@"', this.path];

  constructor() {
    execFileSync('mknod', ['-m', '666', this.path, 'c', '1', '3']);
  }

  get attributes(): readonly (number | bigint)[] {
    const { mode, uid, gid, mtimeNs, ctimeNs } = statSync(this.path, { bigint: true });
    return [mode, uid, gid, mtimeNs, ctimeNs];
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

const changes = (path: string): string =>
  `chmod 676 ${path}; chown 1000:1000 ${path}; touch -d @1000 ${path}; chmod 667 ${path}`;

describeWith({ root: true, tools: ['unshare', 'mknod'] }, 'the host’s null device', () => {
  const rootWithTools = (): Rootfs => {
    const rootfs = new Rootfs();
    for (const applet of ['chmod', 'chown', 'touch', 'rm'])
      execFileSync('ln', ['-s', 'busybox', rootfs.at(`bin/${applet}`)]);
    return rootfs;
  };

  test.each([
    { init: false, own: true },
    { init: true, own: true },
    { init: false, own: false },
  ])('is not changed by root through a mask, nor through stdin: %j', async ({ init, own }) => {
    using rootfs = rootWithTools();
    using host = new HostNull();
    const before = host.attributes;
    const plan = setup(rootfs).filter((op) => own || op.kind !== 'mknod' || op.path !== 'dev/null');
    const options = { supervisor: { prefix: host.prefix } };
    // Both are the device, and work as it does.
    const seen = await runShell(
      rootfs,
      `stat -c %t:%T /proc/keys; stat -L -c %t:%T /proc/self/fd/0; cat; echo x > /proc/keys && echo written; ${changes('/proc/keys')}; ${changes('/proc/self/fd/0')}`,
      { init },
      { setup: plan },
      options,
    );
    expect(seen.stdout).toBe('1:3\n1:3\nwritten\n');
    expect(seen.stderr.match(/Read-only file system/g)).toHaveLength(own ? 4 : 8);
    await using container = await idle(rootfs, { init }, { setup: plan }, options);
    const executed = await exec(container, [
      'sh',
      '-c',
      `stat -L -c %t:%T /proc/self/fd/0; cat; ${changes('/proc/self/fd/0')}`,
    ]);
    expect(executed.stdout).toBe('1:3\n');
    expect(executed.stderr.match(/Read-only file system/g) ?? []).toHaveLength(own ? 0 : 4);
    expect(host.attributes).toEqual(before);
  });

  test('the positive control: a mask that is mounted read-write lets it through', () => {
    using rootfs = rootWithTools();
    using host = new HostNull();
    const before = host.attributes;
    naive.changeMask(rootfs, host.path, changes('/etc/passwd'));
    expect(host.attributes).not.toEqual(before);
    expect(statSync(host.path).mode & 0o777).toBe(0o667);
  });

  test('an exec has its stdin from where no container can put something else', async () => {
    using rootfs = rootWithTools();
    await using container = await idle(rootfs);
    expect((await exec(container, ['sh', '-c', 'rm /dev/null; echo trap > /dev/null; cat /dev/null'])).stdout).toBe(
      'trap\n',
    );
    const { stdout, exited } = await exec(container, ['cat']);
    expect({ stdout, code: exited?.exitCode }).toEqual({ stdout: '', code: 0 });
  });
});
