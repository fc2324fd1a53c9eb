/** A container changes its files while they are copied, and what is copied to it is an attack. */
import { lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Container } from 'libhako';
import { expect, test } from 'vitest';
import { Canary } from '../support/canary.ts';
import { exchanging } from '../support/exchange.ts';
import { prepared, whole } from '../support/file-cases.ts';
import { extractNaively } from '../support/naive-extractor.ts';
import { describeWith } from '../support/requires.ts';
import { directory, file, hardlink, symlink, tar } from '../support/tar.ts';
import { openRuntime, type TestRuntime } from '../support/test-runtime.ts';

/** A container, and a canary beside it on the host that the same path leads to from the host's root. */
class Attack implements AsyncDisposable {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'hako-attack-'));
  readonly canary = new Canary(join(this.#scratch, 'outside'));
  #opened: TestRuntime | undefined;
  #container: Container | undefined;
  #racer: AsyncDisposable | undefined;

  get container(): Container {
    if (this.#container === undefined) throw new Error('not begun');
    return this.#container;
  }

  /** The canary, by a way that is the attacker's directory in the container and the root when that is exchanged. */
  get way(): string {
    return `/attack/d${this.canary.path}`;
  }

  async begin(): Promise<this> {
    this.#opened = await openRuntime();
    // The same in the directory and, should the link be followed as it must be, below the container's own root.
    const decoy = (root: string) =>
      `mkdir -p ${root}${this.canary.path}/etc; echo decoy > ${root}${this.canary.path}/etc/passwd`;
    this.#container = await prepared(
      this.#opened.runtime,
      `mkdir /attack; ln -s / /attack/link; ${decoy('/attack/d')}; ${decoy('')}`,
    );
    return this;
  }

  /** From the host, through the container's own mounts: there is no faster attacker inside. */
  async race(): Promise<string> {
    const { pid } = (await this.container.inspect()).state as { readonly pid: number };
    const root = `/proc/${pid}/root`;
    this.#racer = await exchanging(`${root}/attack`);
    return root;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#racer?.[Symbol.asyncDispose]();
    await this.#container?.remove({ force: true });
    await this.#opened?.[Symbol.asyncDispose]();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** Runs until the deadline, or so many times; every failure must be one that is told of. */
async function repeat(times: number, attempt: () => Promise<void>): Promise<number> {
  const deadline = Date.now() + 25_000;
  let done = 0;
  for (; done < times && Date.now() < deadline; done++) {
    try {
      await attempt();
    } catch (error) {
      expect(error).toHaveProperty('code', expect.stringMatching(/^HAKO_ERR_(PATH|SYSCALL|PERMISSION)/));
    }
  }
  return done;
}

describeWith(
  { root: true, tools: ['busybox', 'python3', 'tar'] },
  'a container that exchanges a directory for a link while it is copied',
  () => {
    test('CVE-2018-15664: nothing of the host comes out', { timeout: 60_000 }, async () => {
      await using attack = await new Attack().begin();
      await attack.race();
      let decoys = 0;
      const done = await repeat(1000, async () => {
        const { stream } = await attack.container.copyOut(`${attack.way}/etc/passwd`);
        const content = (await whole(stream)).toString('latin1');
        expect(content).not.toContain(attack.canary.secret);
        if (content.includes('decoy')) decoys++;
      });
      expect(done).toBeGreaterThan(50);
      expect(decoys).toBeGreaterThan(done / 4);
      expect(attack.canary.damage).toBeUndefined();
    });

    test('CVE-2018-15664, CVE-2021-41089: nothing goes in to the host, and nothing of it gets another mode', {
      timeout: 60_000,
    }, async () => {
      await using attack = await new Attack().begin();
      await attack.race();
      const archive = tar(
        directory('etc', 0o777),
        file('etc/passwd', 'overwritten', { mode: 0o777 }),
        file('etc/new', ''),
      );
      const done = await repeat(1000, () => attack.container.copyIn(Readable.from([archive]), attack.way));
      expect(done).toBeGreaterThan(50);
      expect(attack.canary.damage).toBeUndefined();
    });

    test('CVE-2019-10152, CVE-2019-18466, CVE-2020-1726, CVE-2023-0778: neither exports, whole directories, commits nor copies to the host have it', {
      timeout: 120_000,
    }, async () => {
      await using attack = await new Attack().begin();
      await attack.race();
      const target = mkdtempSync(join(tmpdir(), 'hako-target-'));
      const has = (content: Buffer) => content.includes(attack.canary.secret);
      try {
        await repeat(25, async () => expect(has(await whole(attack.container.export()))).toBe(false));
        await repeat(100, async () =>
          expect(has(await whole((await attack.container.copyOut('/attack')).stream))).toBe(false),
        );
        await repeat(100, async () => {
          rmSync(target, { recursive: true, force: true });
          await attack.container.copyOut(attack.way, target);
          expect(readFileSync(join(target, 'etc/passwd'), 'utf8')).toBe('decoy\n');
        });
        await repeat(10, async () => void (await attack.container.commit()));
        expect(attack.canary.damage).toBeUndefined();
      } finally {
        rmSync(target, { recursive: true, force: true });
      }
    });

    test('the positive control: looking first and then copying by path reads and writes the host', {
      timeout: 60_000,
    }, async () => {
      await using attack = await new Attack().begin();
      const root = await attack.race();
      const deadline = Date.now() + 30_000;
      let read = false;
      while ((!read || attack.canary.damage === undefined) && Date.now() < deadline) {
        try {
          if (lstatSync(`${root}/attack/d`).isDirectory())
            read ||= readFileSync(`${root}${attack.way}/etc/passwd`, 'utf8') === attack.canary.secret;
          if (lstatSync(`${root}/attack/d`).isDirectory()) writeFileSync(`${root}${attack.way}/etc/new`, 'overwritten');
        } catch {
          // The directory has no such file at this moment.
        }
      }
      expect(read).toBe(true);
      expect(attack.canary.damage).toBeDefined();
    });
  },
);

describeWith({ root: true, tools: ['busybox', 'tar'] }, 'archives that are copied in, as any other archive', () => {
  const entries = (outside: string) => [
    symlink('out', outside),
    file('out/etc/passwd', 'overwritten', { mode: 0o777 }),
    directory('out/etc', 0o777),
    symlink('up', '../../../../../../../..'),
    file(`up${outside}/etc/new`, 'new'),
    file(`../../../../../../../..${outside}/etc/up`, ''),
    hardlink('hard', `out/etc/passwd`),
    file('hard', 'overwritten', { mode: 0o777 }),
  ];

  test('CVE-2026-17106, CVE-2025-11395: each of these stays in the container, or is refused', async () => {
    await using attack = await new Attack().begin();
    for (const entry of entries(attack.canary.path).map((_, index, all) => all.slice(0, index + 1)))
      await attack.container
        .copyIn(Readable.from([tar(...entry)]), '/attack', { noOverwriteDirNonDir: false })
        .catch((error: unknown) => {
          expect(error).toHaveProperty('code', 'HAKO_ERR_INVALID_ARCHIVE');
        });
    expect(attack.canary.damage).toBeUndefined();
    expect((await attack.container.statPath(`${attack.canary.path}/etc/passwd`)).size).toBe('overwritten'.length);
  });

  test('the positive control: an extractor that follows names', async () => {
    await using attack = await new Attack().begin();
    const root = mkdtempSync(join(tmpdir(), 'hako-naive-'));
    try {
      extractNaively(root, entries(attack.canary.path));
    } catch {
      // It falls over the last ones; the first have done their work.
    }
    rmSync(root, { recursive: true, force: true });
    expect(attack.canary.damage).toBeDefined();
  });
});
