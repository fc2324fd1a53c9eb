import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { StorageDriver } from '../../contracts/storage-driver.ts';
import { contextOn, testContext } from './context.ts';
import type { StorageDriverSubject } from './storage-driver.ts';
import { contentOf, expectCode, freshDriver, key, makeLayer, name, names } from './storage-subject.ts';

/** Two drivers on one directory are as two processes: they share nothing but the files. */
export function storageConcurrencyCases(subject: StorageDriverSubject): void {
  const second = (directory: string): Promise<StorageDriver> => subject.create(contextOn(directory, subject.native));

  it('lets exactly one of many make a key', async () => {
    await using fresh = await freshDriver(subject);
    await using other = await second(fresh.context.directory);
    await makeLayer(fresh.driver, 'A', null, 'echo a > a');
    const attempts = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? fresh.driver : other).prepare(key('wanted'), name('A')),
    );
    expect(outcomes(await Promise.allSettled(attempts))).toEqual({ fulfilled: 1, HAKO_ERR_SNAPSHOT_EXISTS: 19 });
    expect(await names(other)).toEqual(['A', 'wanted']);
  });

  it('lets exactly one of many commit a name, and leaves the others what they had', async () => {
    await using fresh = await freshDriver(subject);
    await using other = await second(fresh.context.directory);
    const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
    for (const each of keys) await fresh.driver.prepare(key(each), null);
    const attempts = keys.map((each, index) =>
      (index % 2 === 0 ? fresh.driver : other).commit(name('wanted'), key(each)),
    );
    expect(outcomes(await Promise.allSettled(attempts))).toEqual({ fulfilled: 1, HAKO_ERR_SNAPSHOT_EXISTS: 7 });
    expect(await names(fresh.driver)).toHaveLength(8);
    for (const each of (await names(fresh.driver)).filter((found) => found !== 'wanted')) await other.remove(key(each));
    expect(await contentOf(fresh.driver, 'wanted')).toEqual([]);
  });

  it('never makes a child of a parent that is being removed', async () => {
    await using fresh = await freshDriver(subject);
    await using other = await second(fresh.context.directory);
    for (let round = 0; round < 20; round++) {
      await fresh.driver.prepare(key('working'), null);
      await fresh.driver.commit(name('A'), key('working'));
      await other.stat(name('A'));
      const [removal, child] = await Promise.allSettled([
        fresh.driver.remove(name('A')),
        other.prepare(key('child'), name('A')),
      ]);
      expect([removal.status, child.status].sort(), 'one of them').toEqual(['fulfilled', 'rejected']);
      if (child.status === 'fulfilled') {
        await expectCode(fresh.driver.remove(name('A')), 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN');
        await other.remove(key('child'));
        await other.remove(name('A'));
      }
      expect(await names(fresh.driver)).toEqual([]);
    }
  });

  it('sees at once what another made or removed', async () => {
    await using fresh = await freshDriver(subject);
    await using other = await second(fresh.context.directory);
    await makeLayer(fresh.driver, 'A', null, 'echo old > file');
    await other.prepare(key('a'), name('A'));
    await other.remove(key('a'));
    await fresh.driver.remove(name('A'));
    await expectCode(other.stat(name('A')), 'HAKO_ERR_SNAPSHOT_NOT_FOUND');
    await expectCode(other.prepare(key('a'), name('A')), 'HAKO_ERR_SNAPSHOT_NOT_FOUND');
    await makeLayer(fresh.driver, 'A', null, 'echo new > file');
    await other.prepare(key('a'), name('A'));
    expect(await contentOf(other, 'A')).toEqual(['file f 644 new']);
  });

  it('removes what is mounted somewhere', async () => {
    await using fresh = await freshDriver(subject);
    await makeLayer(fresh.driver, 'A', null, 'echo a > a');
    const mounts = await fresh.driver.prepare(key('b'), name('A'));
    const source =
      mounts[0]?.options.find((option) => option.startsWith('upperdir='))?.slice('upperdir='.length) ??
      mounts[0]?.source ??
      '';
    const holder = spawn(
      'unshare',
      [
        process.getuid?.() === 0 ? '-m' : '-rm',
        'sh',
        '-c',
        'mount --bind "$1" /mnt && cd /mnt && echo held && read _',
        'sh',
        source,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      await once(holder.stdout, 'data');
      await fresh.driver.remove(key('b'));
      expect(await names(fresh.driver)).toEqual(['A']);
      await fresh.driver.prepare(key('b'), name('A'));
    } finally {
      holder.stdin.end();
      await once(holder, 'close');
    }
  });

  it('has cleaned up when its disposal is over', async () => {
    using context = testContext(subject.native);
    // Once through: a driver may keep a lock, or something ready for the next snapshot, but not more and more.
    const first = await subject.create(context);
    await makeLayer(first, 'A', null, 'true');
    await first.remove(name('A'));
    await first[Symbol.asyncDispose]();
    const before = entries(context.directory);
    const driver = await subject.create(context);
    await makeLayer(driver, 'A', null, 'mkdir -p a/b/c; touch a/b/c/1 a/2');
    await driver.prepare(key('b'), name('A'));
    await driver.remove(key('b'));
    await driver.remove(name('A'));
    await expectCode(driver.prepare(key('x'), name('A')), 'HAKO_ERR_SNAPSHOT_NOT_FOUND');
    await driver[Symbol.asyncDispose]();
    expect(entries(context.directory)).toEqual(before);
    expect(context.warnings).toEqual([]);
  });
}

function entries(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
}

function outcomes(results: readonly PromiseSettledResult<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const result of results) {
    const outcome =
      result.status === 'fulfilled' ? 'fulfilled' : String((result.reason as { code?: unknown }).code ?? result.reason);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
