import type { Gate } from '../base/gate.ts';
import type { ContainerId } from '../base/ids.ts';
import { ControlGroups } from '../container/control-groups.ts';
import { Committer } from '../container/files/commit.ts';
import { ContainerTrees } from '../container/files/container-trees.ts';
import { CopyIn } from '../container/files/copy-in.ts';
import { CopyIntents } from '../container/files/copy-intents.ts';
import { CopyKeeper } from '../container/files/copy-keeper.ts';
import { CopyOut } from '../container/files/copy-out.ts';
import { Differ } from '../container/files/diff.ts';
import { FileOperations } from '../container/files/file-operations.ts';
import { Holder } from '../container/files/holder.ts';
import { HostFiles } from '../container/files/host-files.ts';
import { RestLocks } from '../container/files/rest-locks.ts';
import type { IdRangeRepository } from '../container/id-ranges.ts';
import { Pausing } from '../container/pausing.ts';
import type { ContainerRecord } from '../container/record.ts';
import type { ContainerRepository } from '../container/repository.ts';
import type { StateReader } from '../container/state-reader.ts';
import type { Supervision } from '../container/supervision.ts';
import { defaultDecompressionLimits } from '../content/decompress.ts';
import type { HostInfo } from '../contracts/host-info.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import { IdRangeRepositoryToken } from '../contracts/tokens.ts';
import type { HostRootStorage } from '../image/host/host-root-storage.ts';
import { ImageService } from '../image/image-service.ts';
import { decompressAny } from '../image/sources/archive-files.ts';
import type { Worker } from '../native/worker.ts';
import type { Injector } from './injector.ts';
import type { RuntimePaths } from './root.ts';

interface FileSurroundings {
  readonly paths: Pick<RuntimePaths, 'copies'>;
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly storage: HostRootStorage;
  readonly native: NativeBinding;
  readonly worker: Worker;
  readonly gate: Gate;
  readonly host: HostInfo;
  readonly supervision: Supervision;
  readonly injector: Injector;
  /** Makes the parents of containers' control groups. */
  openGroups(): Promise<unknown>;
  ownershipOf(mode: ContainerRecord['mode']): Promise<FileOwnership>;
  ownMappings(): Promise<IdMappings | null>;
  warn(message: string, cause?: unknown): void;
}

/** Puts together what works on the files of containers. */
export function composeFiles(around: FileSurroundings): FileOperations {
  const { repository, states, storage, native, worker, gate, host, supervision, injector } = around;
  const ownershipOf = around.ownershipOf.bind(around);
  const ranges = injector.get<IdRangeRepository>(IdRangeRepositoryToken);
  const hasOwnIds = (id: ContainerId) => ranges.find(id) !== null;
  const locks = new RestLocks(repository, states, native);
  const trees = new ContainerTrees({ states, locks, storage, native, ownershipOf, hasOwnIds });
  const differ = new Differ(storage, worker, ownershipOf);
  const groups = new ControlGroups(host.cgroup, repository, supervision, around.openGroups);
  const holder = new Holder(locks, new Pausing(repository, states, groups), around.warn.bind(around));
  const copyIn = new CopyIn(trees, worker);
  const hostFiles = new HostFiles(worker, around.ownMappings.bind(around));
  const warn = around.warn.bind(around);
  const intents = new CopyIntents(around.paths.copies, warn);
  return new FileOperations({
    repository,
    trees,
    worker,
    copyOut: new CopyOut(trees, worker),
    copyIn,
    host: hostFiles,
    keeper: new CopyKeeper({ intents, repository, copyIn, host: hostFiles, warn }),
    differ,
    holder,
    committer: new Committer({ differ, holder, images: injector.get(ImageService), ownershipOf }),
    unwrap: (archive, options) => decompressAny(archive, defaultDecompressionLimits, options),
    gate,
  });
}
