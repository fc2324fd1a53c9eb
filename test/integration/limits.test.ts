import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HakoError, type RunOptions } from 'libhako';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, findTool } from '../support/requires.ts';
import { busyboxImage as image, openRuntime, type TestRuntime } from '../support/test-runtime.ts';

describeWith({ root: true, tools: ['busybox'] }, 'limits, as the program inside meets them', () => {
  let test: TestRuntime;
  beforeAll(async () => {
    test = await openRuntime();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  const run = async (script: string, options: Omit<RunOptions, 'image'>) => {
    const { exitCode, stdout, stderr } = await test.runtime.run({ image, command: ['sh', '-c', script], ...options });
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const refusal = async (options: object): Promise<string> => {
    const error = await test.runtime.containers.create({ image, ...options } as never).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HakoError);
    return `${(error as HakoError).code} ${(error as HakoError).message}`;
  };

  it('ulimits: each is what was given, for execs too', async () => {
    const limits = {
      core: 0,
      cpu: { soft: 50, hard: 60 },
      data: 2 ** 30,
      fsize: 4096,
      locks: 100,
      memlock: 65_536,
      msgqueue: 4096,
      nice: 0,
      nofile: { soft: 100, hard: 200 },
      nproc: 50,
      rss: 2 ** 30,
      rtprio: 0,
      rttime: 10_000,
      sigpending: 30,
      stack: 2 ** 20,
      as: 2 ** 32,
    };
    await using container = await test.runtime.containers.create({
      image,
      command: ['sleep', '60'],
      ulimits: limits,
      ephemeral: true,
    });
    await container.start();
    for (const process of ['1', 'self']) {
      const seen = (await container.exec(['cat', `/proc/${process}/limits`])).stdout.toString();
      const of = (name: string) => seen.match(new RegExp(`^Max ${name} +(\\S+) +(\\S+)`, 'm'))?.slice(1);
      expect({
        core: of('core file size'),
        cpu: of('cpu time'),
        fsize: of('file size'),
        memlock: of('locked memory'),
        nofile: of('open files'),
        nproc: of('processes'),
        stack: of('stack size'),
        as: of('address space'),
        rttime: of('realtime timeout'),
        sigpending: of('pending signals'),
      }).toEqual({
        core: ['0', '0'],
        cpu: ['50', '60'],
        fsize: ['4096', '4096'],
        memlock: ['65536', '65536'],
        nofile: ['100', '200'],
        nproc: ['50', '50'],
        stack: ['1048576', '1048576'],
        as: ['4294967296', '4294967296'],
        rttime: ['10000', '10000'],
        sigpending: ['30', '30'],
      });
    }
  });

  it('ulimits: a file that grows over its limit, and a program over its time, are ended by the kernel', async () => {
    const script = 'dd if=/dev/zero of=/file bs=1024 count=8; echo $?; wc -c < /file';
    expect((await run(script, { ulimits: { fsize: 4096 } })).stdout).toBe('153\n4096\n');
    expect((await run(script, {})).stdout).toBe('0\n8192\n');
    const { exitCode } = await run('exec sh -c "while :; do :; done"', { init: true, ulimits: { cpu: 1 } });
    // SIGXCPU, or SIGKILL where soft and hard are one.
    expect([152, 137]).toContain(exitCode);
  });

  it('ulimits: what cannot be is refused when the container is made', async () => {
    expect(await refusal({ ulimits: { nofile: { soft: 10, hard: 5 } } })).toMatch(/INVALID_OPTION.*soft limit/);
    expect(await refusal({ ulimits: { files: 5 } })).toMatch(/INVALID_OPTION/);
    const { host } = await test.runtime.info();
    if (host.raiseLimits.supported || host.openFilesLimit === null) return;
    const most = host.openFilesLimit;
    const { stdout } = await run('ulimit -Hn', { ulimits: { nofile: most } });
    expect(stdout).toBe(`${most}\n`);
    for (const hard of [most + 1, -1])
      expect(await refusal({ ulimits: { nofile: { soft: 10, hard } } })).toMatch(
        new RegExp(`HOST_UNSUPPORTED ulimits.nofile cannot be .*own hard limit is ${most}.*CAP_SYS_RESOURCE`),
      );
  });

  it('shmSize: /dev/shm holds so much and no more', async () => {
    const script = 'dd if=/dev/zero of=/dev/shm/file bs=1024 count=8192 2>/dev/null; wc -c < /dev/shm/file';
    expect((await run(script, { shmSize: '2m' })).stdout).toBe(`${2 * 2 ** 20}\n`);
    expect((await run(script, { shmSize: '16m' })).stdout).toBe(`${8 * 2 ** 20}\n`);
    expect((await run('stat -f -c "%b %S" /dev/shm', {})).stdout).toBe(`${(64 * 2 ** 20) / 4096} 4096\n`);
  });

  it('cpusets: one CPU is seen, and one that there is not is refused by name', async (context) => {
    const { host } = await test.runtime.info();
    if (host.cgroup.controllers['cpuset'] === undefined) return context.skip('no cpuset controller');
    const script = 'grep -E "(Cpus|Mems)_allowed_list" /proc/self/status';
    const { stdout } = await run(script, { resources: { cpusetCpus: '0', cpusetMems: '0' } });
    expect(stdout).toBe('Cpus_allowed_list:\t0\nMems_allowed_list:\t0\n');
    const there = readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\s*(.*)$/m)?.[1];
    expect((await run(script, {})).stdout).toContain(`Cpus_allowed_list:\t${there}\n`);
    expect(await refusal({ resources: { cpusetCpus: '0,4000-4001' } })).toBe(
      `HAKO_ERR_HOST_UNSUPPORTED resources.cpusetCpus '0,4000-4001' names 4000, 4001, and hako may use ${there} here; write some of those.`,
    );
    expect(await refusal({ resources: { cpusetMems: '7' } })).toMatch(/HOST_UNSUPPORTED resources.cpusetMems/);
    await using container = await test.runtime.containers.create({ image, ephemeral: true });
    await expect(container.update({ resources: { cpusetCpus: '4000' } })).rejects.toMatchObject({
      code: 'HAKO_ERR_HOST_UNSUPPORTED',
    });
  });

  it('what no control group can limit is refused with a way round', async () => {
    expect(await refusal({ resources: { cpuRealtimeRuntime: 95_000 } })).toMatch(/INVALID_OPTION.*real-time.*rtprio/);
    expect(await refusal({ resources: { cpuRealtimePeriod: 100_000 } })).toMatch(/INVALID_OPTION.*real-time/);
  });

  it('storageQuota: refused where the file system has no project quotas, with the reason, and nothing is left', async () => {
    expect(await refusal({ storageQuota: '1k' })).toMatch(/INVALID_OPTION.*storageQuota.*1m/);
    const name = 'limited';
    const made = await test.runtime.containers.create({ image, name, storageQuota: '16m' }).catch((error) => error);
    if (made instanceof HakoError) {
      expect(made.code).toBe('HAKO_ERR_HOST_UNSUPPORTED');
      expect(made.message).toMatch(/cannot be limited: its filesystem .*(xfs|ext4|CONFIG)/);
      expect((await test.runtime.containers.list()).map((each) => each.name)).not.toContain(name);
      expect(readdirSync(join(test.root, 'overlay2', '.tmp'), { withFileTypes: true })).toEqual([]);
    } else await made.remove();
    await using other = await openRuntime({ storage: 'vfs' });
    await expect(other.runtime.containers.create({ image, storageQuota: '16m' })).rejects.toMatchObject({
      code: 'HAKO_ERR_HOST_UNSUPPORTED',
      message: expect.stringMatching(/storage driver has no quotas/),
    });
  });

  it('block I/O: reads of a device are held to their rate', async (context) => {
    if (findTool('losetup') === undefined) return context.skip('no losetup');
    using disk = new Disk();
    const read = async (more: object) => {
      const started = performance.now();
      const { stdout } = await run(`dd if=${disk.path} of=/dev/null bs=1M count=3 2>/dev/null && echo read`, {
        devices: [disk.path],
        ...more,
      });
      expect(stdout).toBe('read\n');
      return performance.now() - started;
    };
    const limited = await read({ resources: { blkioDeviceReadBps: [{ path: disk.path, rate: '1m' }] } });
    disk.forget();
    const free = await read({});
    expect(limited).toBeGreaterThan(1500);
    expect(free).toBeLessThan(limited / 2);
    expect(await refusal({ resources: { blkioDeviceReadBps: [{ path: '/dev/null', rate: 1 }] } })).toMatch(
      /INVALID_OPTION.*block device/,
    );
  });
});

/** A block device of 8 MiB. */
class Disk implements Disposable {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hako-disk-'));

  constructor() {
    const file = join(this.#directory, 'image');
    writeFileSync(file, '');
    truncateSync(file, 8 * 2 ** 20);
    this.path = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  }

  /** What was read of it. */
  forget(): void {
    execFileSync('blockdev', ['--flushbufs', this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync('losetup', ['--detach', this.path]);
    rmSync(this.#directory, { recursive: true });
  }
}
