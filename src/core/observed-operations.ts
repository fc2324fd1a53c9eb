import type { ContainerId } from '../base/ids.ts';
import type { OperationSubject } from '../base/observation.ts';
import { Container } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import type { ContainerOperations } from '../container/operations.ts';
import type { ContainerRepository } from '../container/repository.ts';
import { Image } from '../image/image.ts';
import type { Images } from './images.ts';
import { type OperationsOf, observed } from './observed.ts';
import type { ImageChoice } from './runtime.ts';

const ofContainer: OperationsOf<ContainerOperations> = {
  start: 'container.start',
  startBriefly: 'container.start',
  stop: 'container.stop',
  kill: 'container.kill',
  restart: 'container.restart',
  wait: 'container.wait',
  exec: 'container.exec',
  startExec: 'container.startExec',
  execs: 'container.execs',
  inspectExec: 'container.inspectExec',
  attach: 'container.attach',
  attachExec: 'container.attachExec',
  resize: 'container.resize',
  logs: { untilEnd: 'container.logs' },
  logCounts: 'container.logCounts',
  rename: 'container.rename',
  top: 'container.top',
  inspect: 'container.inspect',
  remove: 'container.remove',
  discard: 'container.remove',
  removeAtRest: null,
  subscribe: null,
  prepare: null,
  runPrepared: null,
  files: {
    diff: 'container.diff',
    stat: 'container.statPath',
    archive: 'container.copyOut',
    copyToHost: 'container.copyOut',
    copyIn: 'container.copyIn',
    export: { untilEnd: 'container.export' },
    commit: 'container.commit',
    release: null,
    clearLeftCopies: null,
  },
  resources: {
    update: 'container.update',
    pause: 'container.pause',
    unpause: 'container.unpause',
    stats: 'container.stats',
    watchStats: { untilEnd: 'container.watchStats' },
    release: null,
  },
};

const ofContainers: OperationsOf<Containers<ImageChoice>> = {
  create: 'containers.create',
  createToStart: 'containers.create',
  get: 'containers.get',
  list: 'containers.list',
  prune: 'containers.prune',
  removeQuarantined: 'containers.removeQuarantined',
  pool: 'containers.pool',
  resolve: null,
};

const ofImages: OperationsOf<Images> = {
  import: 'images.import',
  importAll: 'images.importAll',
  list: 'images.list',
  get: 'images.get',
  tag: 'images.tag',
  remove: 'images.remove',
};

/** What is done with a container by its handle. */
export function observedContainer(
  operations: ContainerOperations,
  repository: Pick<ContainerRepository, 'find'>,
  root: string,
): ContainerOperations {
  return observed(operations, ofContainer, {
    subject: ([id]) => ({ root, containerId: id as ContainerId, ...known(repository, id as ContainerId) }),
  });
}

export function observedContainers(containers: Containers<ImageChoice>, root: string): Containers<ImageChoice> {
  return observed(containers, ofContainers, {
    subject: ([given]) => ({
      root,
      ...(typeof given === 'string' ? { containerName: given } : imageNamed((given as { image?: unknown })?.image)),
    }),
    learn: (result) => (result instanceof Container ? { containerId: result.id, containerName: result.name } : {}),
  });
}

export function observedImages(images: Images, root: string): Images {
  return observed(images, ofImages, {
    subject: ([given]) => ({ root, ...imageNamed(given) }),
    learn: (result) => imageNamed(result),
  });
}

function known(repository: Pick<ContainerRepository, 'find'>, id: ContainerId): OperationSubject {
  try {
    const record = repository.find(id);
    return record === null ? {} : { containerName: record.name, image: record.image.name };
  } catch {
    // Of a runtime that has been closed: the operation says so itself.
    return {};
  }
}

export function imageNamed(choice: unknown): Pick<OperationSubject, 'image'> {
  if (typeof choice === 'string') return { image: choice };
  return choice instanceof Image ? { image: choice.references[0] ?? choice.id } : {};
}
