import type { Gate } from '../base/gate.ts';
import { ContainerTrees } from '../container/files/container-trees.ts';
import { CopyIn } from '../container/files/copy-in.ts';
import { CopyOut } from '../container/files/copy-out.ts';
import { Differ } from '../container/files/diff.ts';
import { FileOperations } from '../container/files/file-operations.ts';
import { HostFiles } from '../container/files/host-files.ts';
import type { ContainerRecord } from '../container/record.ts';
import type { ContainerRepository } from '../container/repository.ts';
import type { StateReader } from '../container/state-reader.ts';
import { defaultDecompressionLimits } from '../content/decompress.ts';
import type { IdMappings } from '../contracts/isolation.ts';
import type { NativeBinding } from '../contracts/native-binding.ts';
import type { FileOwnership } from '../contracts/privilege-mode.ts';
import type { HostRootStorage } from '../image/host/host-root-storage.ts';
import { decompressAny } from '../image/sources/archive-files.ts';
import type { Worker } from '../native/worker.ts';

interface FileSurroundings {
  readonly repository: ContainerRepository;
  readonly states: StateReader;
  readonly storage: HostRootStorage;
  readonly native: NativeBinding;
  readonly worker: Worker;
  readonly gate: Gate;
  ownershipOf(mode: ContainerRecord['mode']): Promise<FileOwnership>;
  ownMappings(): Promise<IdMappings | null>;
}

/** Puts together what works on the files of containers. */
export function composeFiles(around: FileSurroundings): FileOperations {
  const { repository, states, storage, native, worker, gate } = around;
  const ownershipOf = around.ownershipOf.bind(around);
  const trees = new ContainerTrees({ states, storage, native, ownershipOf });
  return new FileOperations({
    repository,
    trees,
    worker,
    copyOut: new CopyOut(trees, worker),
    copyIn: new CopyIn(trees, worker),
    host: new HostFiles(worker, around.ownMappings.bind(around)),
    differ: new Differ(storage, worker, ownershipOf),
    unwrap: (archive, options) => decompressAny(archive, defaultDecompressionLimits, options),
    gate,
  });
}
