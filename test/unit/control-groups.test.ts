import { HakoError } from 'libhako';
import { expect, it } from 'vitest';
import { ControlGroups } from '../../src/container/control-groups.ts';
import type { ContainerRecord } from '../../src/container/record.ts';
import type { ContainerRepository } from '../../src/container/repository.ts';
import type { Supervision } from '../../src/container/supervision.ts';
import type { CgroupHost } from '../../src/contracts/host-info.ts';
import { ownIdentity } from '../../src/host/process-identity.ts';

const parents = { memory: '/absent/memory/hako', freezer: '/absent/freezer/hako' };
const host = { controllers: parents, missing: {}, unifiedParent: null } as unknown as CgroupHost;
const cgroups = [{ version: 1, directory: '/absent/memory/hako/x', controllers: ['memory'] }];
const state = { status: 'running', startedAt: '', pid: 1, supervisor: ownIdentity(), cgroups };
const record = { id: 'x', name: 'x', state } as unknown as ContainerRecord;

/** Groups of a container whose freezer's parent is taken away so often by others before a group can be made in it. */
function takenAway(times: number): { groups: ControlGroups; opened: () => number } {
  let [left, opened] = [times, 0];
  const addGroup = async () => {
    if (left-- > 0)
      throw new HakoError('CONTAINER_START_FAILED', 'It is not there.', { errno: 'ENOENT', operation: 'cgroup' });
  };
  const supervision = { require: async () => ({ record }), control: async () => ({ addGroup }) };
  const repository = { find: () => record, reviseState: () => null };
  const groups = new ControlGroups(
    host,
    repository as unknown as ContainerRepository,
    supervision as unknown as Supervision,
    async () => opened++,
  );
  return { groups, opened: () => opened };
}

it('makes the parents of groups anew as often as other runtimes take them away', async () => {
  const { groups, opened } = takenAway(5);
  const joined = await groups.under(record, 'freezer');
  expect(joined.map(({ directory }) => directory)).toEqual(['/absent/memory/hako/x', '/absent/freezer/hako/x']);
  expect(opened()).toBe(5);
});

it('gives up on parents that cannot be made', async () => {
  await expect(takenAway(Number.POSITIVE_INFINITY).groups.under(record, 'freezer')).rejects.toMatchObject({
    errno: 'ENOENT',
  });
});
