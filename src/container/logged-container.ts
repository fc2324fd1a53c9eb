import type { JournaledContainer } from '../log/journal-deliveries.ts';
import type { LoggedContainer } from '../log/log-service.ts';
import type { ContainerRecord } from './record.ts';
import { optionsOf } from './record-options.ts';
import { commandOf, containerEnv, hostnameOf } from './spec/index.ts';

/** What log drivers may know of a container. */
export function loggedContainer(record: ContainerRecord, directory: string): LoggedContainer {
  const options = optionsOf(record);
  return {
    id: record.id,
    name: record.name,
    createdAt: new Date(record.createdAt),
    image: record.image,
    argv: commandOf(options, record.imageDefaults),
    env: containerEnv({ options, image: record.imageDefaults, hostname: hostnameOf(record.id, options) }),
    labels: { ...record.imageDefaults.labels, ...options.labels },
    directory,
    log: record.log,
  };
}

/** The same, for what brings journals to log drivers. */
export function journaledContainer(record: ContainerRecord, directory: string): JournaledContainer {
  return { id: record.id, name: record.name, directory, logged: () => loggedContainer(record, directory) };
}
