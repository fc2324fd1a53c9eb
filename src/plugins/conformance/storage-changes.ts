import { expect, it } from 'vitest';
import type { Mount } from '../../contracts/mount.ts';
import type { StorageDriver } from '../../contracts/storage-driver.ts';
import { runMounted } from './mounted.ts';
import type { StorageDriverSubject } from './storage-driver.ts';
import { freshDriver, key, lines, listing, makeLayer, name } from './storage-subject.ts';

/** What the driver says that a key changes, laid over what it says is the parent. */
async function applied(driver: StorageDriver, of: string): Promise<readonly string[]> {
  const { own, marks, parent } = await driver.changes(key(of));
  expect(own).toHaveLength(1);
  expect(parent.length).toBeLessThanOrEqual(1);
  if (!marks) return lines(runMounted(own, listing));
  const below = parent.flatMap(({ type, source, options }) =>
    type === 'bind' ? [`lowerdir+=${source}`] : options.filter((option) => option.startsWith('lowerdir+=')),
  );
  const [mount] = await driver.mounts(key(of));
  const stacked: Mount = {
    type: 'overlay',
    source: 'overlay',
    options: [
      `lowerdir+=${own[0]?.source}`,
      ...below,
      ...(mount?.options.includes('userxattr') === true ? ['userxattr'] : []),
    ],
  };
  return lines(runMounted([stacked], listing));
}

/** A driver tells truly what an active snapshot changes of its parent. */
export function storageChangesCases(subject: StorageDriverSubject): void {
  it('shows what a snapshot has, what is gone, and the parent without either', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'mkdir d e; echo 1 > d/1; echo 2 > d/2; echo 3 > e/3; echo a > a');
    await makeLayer(driver, 'B', 'A', 'echo b > b');
    const mounts = await driver.prepare(key('k'), name('B'));
    const untouched = lines(runMounted(mounts, listing));
    expect(await applied(driver, 'k')).toEqual(untouched);
    runMounted(mounts, 'rm d/1 b; rm -r e; mkdir e; echo new > e/new; echo more >> a');
    expect(await applied(driver, 'k')).toEqual(lines(runMounted(mounts, listing)));
    const { parent } = await driver.changes(key('k'));
    expect(lines(runMounted(parent, listing))).toEqual(untouched);
    expect(() => runMounted(parent, 'echo x > x')).toThrow(/Read-only file system/);
  });

  it('has no parent to show where there is none', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    runMounted(await driver.prepare(key('k'), null), 'echo a > a');
    const { own, parent } = await driver.changes(key('k'));
    expect(parent).toEqual([]);
    expect(lines(runMounted(own, listing))).toEqual(['a f 644 a']);
  });

  it('knows no changes of what is not there, or committed', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    for (const unknown of ['none', 'A'])
      await expect(driver.changes(key(unknown))).rejects.toHaveProperty('code', 'HAKO_ERR_SNAPSHOT_NOT_FOUND');
  });
}
