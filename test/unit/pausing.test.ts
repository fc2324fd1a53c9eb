import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ControlGroups } from '../../src/container/control-groups.ts';
import { Pausing } from '../../src/container/pausing.ts';
import type { ContainerRecord } from '../../src/container/record.ts';
import type { ContainerRepository } from '../../src/container/repository.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';

// A freezer of v1 is one file: what is written there is what it says.
describe('who holds a container', () => {
  let directory: string;
  let pausing: Pausing;
  let record: ContainerRecord;
  const freezer = () => join(directory, 'group/freezer.state');
  const state = () => readFileSync(freezer(), 'utf8');
  const marks = () => readdirSync(join(directory, 'state'));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hako-pausing-'));
    for (const name of ['group', 'state']) mkdirSync(join(directory, name));
    writeFileSync(freezer(), 'THAWED');
    const cgroups = [{ version: 1 as const, directory: join(directory, 'group'), controllers: ['freezer'] }];
    const running = { status: 'running', startedAt: '', pid: 1, supervisor: ownIdentity(), cgroups };
    record = { id: 'x', name: 'x', state: running } as unknown as ContainerRecord;
    pausing = another();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** As another process would have it. */
  const another = () =>
    new Pausing(
      { find: () => record } as unknown as ContainerRepository,
      { directory: () => join(directory, 'state') },
      { under: async () => (record.state as { cgroups: unknown }).cgroups } as unknown as ControlGroups,
    );

  test('counts: it goes on with the last of them', async () => {
    const first = await pausing.hold(record, {});
    const second = await another().hold(record, {});
    await first();
    expect(state()).toBe('FROZEN');
    await second();
    expect(state()).toBe('THAWED');
    expect(marks()).toEqual([]);
  });

  test('counts a pause, before and after', async () => {
    const first = await pausing.hold(record, {});
    await another().pause(record, {});
    await first();
    expect(state()).toBe('FROZEN');
    const second = await pausing.hold(record, {});
    await second();
    expect(state()).toBe('FROZEN');
    await pausing.unpause(record, {});
    expect(state()).toBe('THAWED');
    expect(marks()).toEqual([]);
  });

  test('lets an unpausing wait for the others', async () => {
    await pausing.pause(record, {});
    const letGo = await pausing.hold(record, {});
    let done = false;
    const unpaused = another()
      .unpause(record, {})
      .then(() => {
        done = true;
      });
    await sleep(50);
    expect([done, state()]).toEqual([false, 'FROZEN']);
    await letGo();
    await unpaused;
    expect(state()).toBe('THAWED');
  });

  test('lets a stop through at once', async () => {
    await pausing.pause(record, {});
    const letGo = await pausing.hold(record, {});
    expect(await another().release(record)).toBe(true);
    expect(state()).toBe('THAWED');
    expect(await pausing.release(record)).toBe(false);
    await letGo();
    expect(marks()).toEqual([]);
  });

  test('leaves what a stranger has frozen', async () => {
    writeFileSync(freezer(), 'FROZEN');
    const letGo = await pausing.hold(record, {});
    await letGo();
    expect(state()).toBe('FROZEN');
    await pausing.unpause(record, {});
    expect(state()).toBe('THAWED');
  });

  test('thaws what could not be frozen in time, but for others', async () => {
    writeFileSync(freezer(), 'FREEZING');
    const given = () => AbortSignal.abort(new Error('enough'));
    const mark = join(directory, 'state', `${ownIdentity().pid}.${ownIdentity().startTicks}.0.hold`);
    writeFileSync(mark, '');
    await expect(pausing.hold(record, { signal: given() })).rejects.toThrow('enough');
    expect(state()).toBe('FREEZING');
    rmSync(mark);
    // A mark of its own, or it would be a stranger's.
    writeFileSync(join(directory, 'state', '4194305.1.0.hold'), '');
    await expect(pausing.hold(record, { signal: given() })).rejects.toThrow('enough');
    expect(state()).toMatch(/^THAWED/);
  });

  test('lets go of what the dead have held, and of nothing that is paused', async () => {
    const dead = '4194305.1.0.hold';
    writeFileSync(join(directory, 'state', dead), '');
    writeFileSync(freezer(), 'FROZEN');
    await pausing.pause(record, {});
    await pausing.forgetDead(record);
    expect([state(), marks().length]).toEqual(['FROZEN', 1]);
    await pausing.unpause(record, {});
    writeFileSync(join(directory, 'state', dead), '');
    writeFileSync(freezer(), 'FROZEN');
    await pausing.forgetDead(record);
    expect([state(), marks()]).toEqual(['THAWED', []]);
  });

  test('waits for a thawing that is under way', async () => {
    const { pid, startTicks } = ownIdentity();
    const thawing = join(directory, 'state', `${pid}.${startTicks}.0.thaw`);
    writeFileSync(thawing, '');
    let held = false;
    const holding = pausing.hold(record, {}).then((letGo) => {
      held = true;
      return letGo;
    });
    await sleep(50);
    expect([held, state()]).toEqual([false, 'THAWED']);
    rmSync(thawing);
    const letGo = await holding;
    expect(state()).toBe('FROZEN');
    await letGo();
  });
});
