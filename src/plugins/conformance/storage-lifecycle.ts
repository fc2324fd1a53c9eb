import { expect, it } from 'vitest';
import type { StorageDriver } from '../../contracts/storage-driver.ts';
import { contextOn } from './context.ts';
import { runMounted } from './mounted.ts';
import type { StorageDriverSubject } from './storage-driver.ts';
import { contentOf, expectCode, freshDriver, key, makeLayer, name, names } from './storage-subject.ts';

const missing = 'HAKO_ERR_SNAPSHOT_NOT_FOUND';

/** Who exists when, and what each operation answers. */
export function storageLifecycleCases(subject: StorageDriverSubject): void {
  it('starts with nothing', async () => {
    await using fresh = await freshDriver(subject);
    expect(await names(fresh.driver)).toEqual([]);
  });

  it('takes a key from prepare over commit to a name', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    const before = Date.now();
    await driver.prepare(key('a'), null);
    const active = await driver.stat(key('a'));
    expect(active).toMatchObject({ name: 'a', kind: 'active', parent: null });
    expect(active.createdAt.getTime()).toBeGreaterThanOrEqual(before - 1000);
    await driver.commit(name('A'), key('a'));
    expect(await driver.stat(name('A'))).toMatchObject({ name: 'A', kind: 'committed', parent: null });
    await driver.prepare(key('b'), name('A'));
    expect(await driver.stat(key('b'))).toMatchObject({ kind: 'active', parent: 'A' });
    await driver.view(key('v'), name('A'));
    expect(await driver.stat(key('v'))).toMatchObject({ kind: 'view', parent: 'A' });
    expect(await names(driver)).toEqual(['A', 'b', 'v']);
  });

  it('knows nothing of the key after commit', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    await expectUnknown(driver, 'A-working');
    await driver.prepare(key('A-working'), name('A')); // free to be used again
  });

  it('says of what it does not know that it is not found', async () => {
    await using fresh = await freshDriver(subject);
    await expectUnknown(fresh.driver, 'nobody');
    await expectCode(fresh.driver.prepare(key('x'), name('nobody')), missing);
    await expectCode(fresh.driver.view(key('x'), name('nobody')), missing);
    expect(await names(fresh.driver)).toEqual([]);
  });

  it('takes only what is committed for a parent', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    await driver.prepare(key('active'), null);
    await driver.view(key('look'), name('A'));
    await expectCode(driver.prepare(key('x'), name('active')), missing);
    await expectCode(driver.view(key('x'), name('active')), missing);
    await expectCode(driver.prepare(key('x'), name('look')), missing);
    expect(await names(driver)).toEqual(['A', 'active', 'look']);
  });

  it('gives mounts of what is active or a view, not of what is committed', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    const mounts = await driver.prepare(key('a'), name('A'));
    expect(await driver.mounts(key('a'))).toEqual(mounts);
    const look = await driver.view(key('v'), name('A'));
    expect(await driver.mounts(key('v'))).toEqual(look);
    await expectCode(driver.mounts(key('A')), missing);
  });

  it('has one space for names and keys, and never takes one twice', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    const taken = 'HAKO_ERR_SNAPSHOT_EXISTS';
    await makeLayer(driver, 'A', null, 'echo first > file');
    await driver.prepare(key('b'), null);
    await expectCode(driver.prepare(key('b'), null), taken);
    await expectCode(driver.prepare(key('A'), null), taken);
    await expectCode(driver.view(key('A'), name('A')), taken);
    await expectCode(driver.view(key('b'), name('A')), taken);
    runMounted(await driver.mounts(key('b')), 'echo second > file');
    await expectCode(driver.commit(name('A'), key('b')), taken);
    await expectCode(driver.commit(name('b'), key('b')), taken);
    expect(await contentOf(driver, 'A')).toEqual(['file f 644 first']);
    expect(runMounted(await driver.mounts(key('b')), 'cat file')).toBe('second\n');
    await driver.commit(name('B'), key('b'));
    expect(await contentOf(driver, 'B')).toEqual(['file f 644 second']);
  });

  it('commits neither a view nor a name', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'A', null, 'true');
    await driver.view(key('v'), name('A'));
    await expectCode(driver.commit(name('B'), key('v')), missing);
    await expectCode(driver.commit(name('B'), key('A')), missing);
    expect(await names(driver)).toEqual(['A', 'v']);
  });

  it('does not remove a parent', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    const hasChildren = 'HAKO_ERR_SNAPSHOT_HAS_CHILDREN';
    await makeLayer(driver, 'A', null, 'echo a > a');
    await makeLayer(driver, 'B', 'A', 'echo b > b');
    await driver.prepare(key('c'), name('B'));
    await driver.view(key('v'), name('A'));
    await expectCode(driver.remove(name('B')), hasChildren);
    await driver.remove(key('c'));
    await expectCode(driver.remove(name('A')), hasChildren);
    await driver.remove(name('B'));
    await expectCode(driver.remove(name('A')), hasChildren); // the view
    expect(await contentOf(driver, 'A')).toEqual(['a f 644 a']);
    await driver.remove(key('v'));
    await driver.remove(name('A'));
    expect(await names(driver)).toEqual([]);
    await expectUnknown(driver, 'A');
  });

  it('can use a name again after removal, with another content and parent', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    await makeLayer(driver, 'base', null, 'echo base > base');
    await makeLayer(driver, 'A', null, 'echo old > file');
    expect(await contentOf(driver, 'A')).toEqual(['file f 644 old']);
    await driver.remove(name('A'));
    await makeLayer(driver, 'A', 'base', 'echo new > file');
    expect(await contentOf(driver, 'A')).toEqual(['base f 644 base', 'file f 644 new']);
  });

  it('takes chain IDs, chain IDs with a suffix, and container IDs', async () => {
    await using fresh = await freshDriver(subject);
    const { driver } = fresh;
    const chain = `sha256:${'0f'.repeat(32)}`;
    await makeLayer(driver, chain, null, 'echo image > file');
    await makeLayer(driver, `${chain}-init`, chain, 'mkdir proc');
    await driver.prepare(key('a1'.repeat(32)), name(`${chain}-init`));
    expect(await names(driver)).toEqual(['a1'.repeat(32), chain, `${chain}-init`].sort());
  });

  it.each(['', '.', '..', '../escape', 'a/b', '/etc', '.hidden', 'nul\0byte', 'x'.repeat(300), 'sha256:../../x'])(
    'refuses the name %j',
    async (hostile) => {
      await using fresh = await freshDriver(subject);
      const { driver } = fresh;
      await makeLayer(driver, 'A', null, 'true');
      await driver.prepare(key('a'), name('A'));
      const refused = 'HAKO_ERR_INVALID_NAME';
      await expectCode(driver.prepare(key(hostile), null), refused);
      await expectCode(driver.prepare(key('x'), name(hostile)), refused);
      await expectCode(driver.view(key(hostile), name('A')), refused);
      await expectCode(driver.commit(name(hostile), key('a')), refused);
      await expectCode(driver.remove(key(hostile)), refused);
      await expectCode(driver.stat(key(hostile)), refused);
      expect(await names(driver)).toEqual(['A', 'a']);
    },
  );

  it('undoes nothing and leaves nothing when the signal was aborted before', async () => {
    await using fresh = await freshDriver(subject);
    const reason = new Error('enough');
    const options = { signal: AbortSignal.abort(reason) };
    await makeLayer(fresh.driver, 'A', null, 'true');
    await expect(fresh.driver.prepare(key('x'), name('A'), options)).rejects.toBe(reason);
    await expect(fresh.driver.view(key('x'), name('A'), options)).rejects.toBe(reason);
    expect(await names(fresh.driver)).toEqual(['A']);
  });

  it('finds everything again when it is opened anew', async () => {
    await using fresh = await freshDriver(subject);
    await makeLayer(fresh.driver, 'A', null, 'echo kept > file');
    const mounts = await fresh.driver.prepare(key('a'), name('A'));
    await using other = await subject.create(contextOn(fresh.context.directory, subject.native));
    expect(await names(other)).toEqual(['A', 'a']);
    expect(await other.mounts(key('a'))).toEqual(mounts);
    expect(await contentOf(other, 'A')).toEqual(['file f 644 kept']);
  });

  async function expectUnknown(driver: StorageDriver, nobody: string): Promise<void> {
    await expectCode(driver.stat(key(nobody)), missing);
    await expectCode(driver.mounts(key(nobody)), missing);
    await expectCode(driver.usage(key(nobody)), missing);
    await expectCode(driver.remove(key(nobody)), missing);
    await expectCode(driver.commit(name('X'), key(nobody)), missing);
    await expectCode(driver.unpackTarget(key(nobody)), missing);
    await expectCode(driver.describe(key(nobody)), missing);
  }
}
