import { HakoError } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRepository } from './repository.ts';

/** @throws HakoError `HAKO_ERR_CONTAINER_NOT_FOUND` also once its removal has begun */
export function presentRecord(repository: ContainerRepository, id: ContainerId): ContainerRecord {
  const record = repository.find(id);
  if (record === null || record.state.status === 'removing')
    throw new HakoError('CONTAINER_NOT_FOUND', `There is no container ${id.slice(0, 12)}; it has been removed.`);
  return record;
}
