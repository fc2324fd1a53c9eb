import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'the seccomp filter of a container', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const mode = async (options: object) => {
    const { stdout } = await test.runtime.run({
      image,
      command: ['grep', '^Seccomp:', '/proc/self/status'],
      ...options,
    });
    return stdout.toString().trim().split(/\s+/)[1];
  };

  it('is there by default, and not when it is declined', async () => {
    expect(await mode({})).toBe('2');
    expect(await mode({ seccomp: 'unconfined' })).toBe('0');
    expect(await mode({ mode: 'privileged' })).toBe('0');
  });

  it("is the caller's own when one is given, for the first process and for what is executed beside it", async () => {
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
    };
    const command = ['sh', '-c', 'touch /file && echo made; mkdir /directory'];
    const result = await test.runtime.run({ image, command, seccomp });
    expect(result.stdout.toString()).toBe('made\n');
    expect(result.stderr.toString()).toContain('No space left on device');
    await using container = await test.runtime.containers.create({
      image,
      command: ['sleep', '60'],
      seccomp,
      ephemeral: true,
    });
    await container.start();
    const beside = await container.exec(command);
    expect(beside.stderr.toString()).toContain('No space left on device');
  });

  it('of a profile that is not valid is refused before anything is made', async () => {
    const run = test.runtime.run({
      image,
      command: ['true'],
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['read'], action: 'NO' }] },
    });
    await expect(run).rejects.toMatchObject({
      code: 'HAKO_ERR_INVALID_SECCOMP_PROFILE',
      message: expect.stringContaining('syscalls.0.action'),
    });
    expect(await test.runtime.containers.list()).toEqual([]);
  });
});
