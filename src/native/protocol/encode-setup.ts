import { BindFlag, SetupOperationType, TargetFlag } from './constants.ts';
import type { SetupOperation, TargetPolicy } from './requests.ts';
import type { FrameWriter } from './wire.ts';

/** Appends one setup operation: its number, then its fields as native/protocol.h orders them. */
export function writeSetupOperation(writer: FrameWriter, operation: SetupOperation): void {
  writer.u8(numbers[operation.kind], 'setup operation');
  switch (operation.kind) {
    case 'propagation':
      writer.u64(operation.propagation, 'propagation');
      return;
    case 'mount':
      writer
        .str(operation.type, 'filesystem type')
        .str(operation.source, 'source of a mount')
        .str(operation.path, 'target of a mount')
        .u64(operation.attributes, 'attributes of a mount');
      writer.list(operation.options, ([key, value]) =>
        writer.str(key, 'mount option').str(value, `value of the mount option '${key}'`),
      );
      writer.u32(targetFlags(operation.target), 'flags');
      return;
    case 'bind':
      writer.str(operation.hostPath, 'source of a bind mount').str(operation.path, 'target of a bind mount');
      writer
        .u64(operation.set, 'attributes of a mount')
        .u64(operation.clear, 'attributes of a mount')
        .u64(operation.propagation, 'propagation');
      writer.u32(
        targetFlags(operation.target) |
          (operation.recursive ? BindFlag.RECURSIVE : 0) |
          (operation.optional ? BindFlag.OPTIONAL : 0) |
          (operation.device ? BindFlag.DEVICE : 0) |
          openedFlags[operation.opened],
        'flags',
      );
      return;
    case 'layers':
      writer.str(operation.hostPath, 'directory of the layers');
      return;
    case 'mkdir':
      writer.str(operation.path, 'directory').u32(operation.mode, 'mode');
      return;
    case 'symlink':
      writer.str(operation.target, 'target of a symbolic link').str(operation.path, 'path of a symbolic link');
      return;
    case 'mknod':
      writer
        .str(operation.path, 'path of a device')
        .u32(operation.mode, 'mode')
        .u32(operation.major, 'major number')
        .u32(operation.minor, 'minor number');
      writer.u32(operation.uid, 'uid').u32(operation.gid, 'gid');
      return;
    case 'mask':
      writer.str(operation.path, 'masked path');
      return;
    case 'readonly':
      writer.str(operation.path, 'read-only path');
      return;
    case 'sysctl':
      writer.str(operation.name, 'name of a sysctl').str(operation.value, `value of the sysctl '${operation.name}'`);
      return;
    case 'root-attributes':
      writer.str(operation.path, 'mount of the root').u64(operation.attributes, 'attributes of the root');
      return;
    case 'pivot':
    case 'console':
    case 'loopback':
      return;
  }
}

const openedFlags = { inside: 0, host: BindFlag.HOST, idmapped: BindFlag.HOST | BindFlag.IDMAP } as const;

const numbers: Readonly<Record<SetupOperation['kind'], number>> = {
  propagation: SetupOperationType.PROPAGATION,
  mount: SetupOperationType.MOUNT,
  bind: SetupOperationType.BIND,
  layers: SetupOperationType.LAYERS,
  mkdir: SetupOperationType.MKDIR,
  symlink: SetupOperationType.SYMLINK,
  mknod: SetupOperationType.MKNOD,
  pivot: SetupOperationType.PIVOT,
  mask: SetupOperationType.MASK,
  readonly: SetupOperationType.READONLY,
  sysctl: SetupOperationType.SYSCTL,
  console: SetupOperationType.CONSOLE,
  loopback: SetupOperationType.LOOPBACK,
  'root-attributes': SetupOperationType.ROOT_ATTR,
};

function targetFlags(target: TargetPolicy): number {
  const create = { file: TargetFlag.FILE, directory: TargetFlag.DIR, 'like-source': TargetFlag.FILE | TargetFlag.DIR };
  return (target.create === null ? 0 : create[target.create]) | (target.noFollow ? TargetFlag.NO_FOLLOW : 0);
}
