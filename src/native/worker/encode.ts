import type { IdMappings } from '../../contracts/isolation.ts';
import { idMapRequest } from '../id-map.ts';
import { writeIdMap } from '../protocol/encode.ts';
import { FrameWriter } from '../protocol/wire.ts';
import {
  CompareFlag,
  MountpointKind,
  MountSource,
  OpaqueXattr,
  OwnershipMode,
  PackFlag,
  TreeKind,
  UnpackFlag,
  WhiteoutsMode,
  WORKER_MAX_REQUEST,
  WORKER_VERSION,
  WorkerFrameType,
} from './constants.ts';
import type {
  ArchiveLimits,
  CompareRequest,
  Mountpoint,
  OverlayTree,
  PackRequest,
  SweepRequest,
  Tree,
  TreeMount,
  UnpackRequest,
} from './requests.ts';

/**
 * Far above what images have, far below what would hurt: 64 GiB of archive, two million entries, files of 1 TiB
 * (lastlog is a sparse file that can be huge), 256 directories deep, 1 MiB of extended header.
 */
export const defaultLimits: ArchiveLimits = {
  archiveBytes: 64 * 2 ** 30,
  entries: 2_000_000,
  fileBytes: 2 ** 40,
  pathDepth: 256,
  headerBytes: 2 ** 20,
  xattrBytes: 2 ** 20,
};

export function encodeUnpack(request: UnpackRequest): Buffer {
  const { whiteouts } = request;
  const limits = { ...defaultLimits, ...request.limits };
  const mode = {
    none: WhiteoutsMode.NONE,
    overlay: WhiteoutsMode.OVERLAY,
    'overlay-userxattr': WhiteoutsMode.OVERLAY,
    apply: WhiteoutsMode.APPLY,
  };
  const writer = begin(WorkerFrameType.UNPACK, request.idMappings);
  writeTree(writer, request.tree);
  return writer
    .str(request.at ?? '', 'directory')
    .u8(mode[whiteouts], 'whiteouts')
    .u8(whiteouts === 'overlay-userxattr' ? OpaqueXattr.USER : OpaqueXattr.TRUSTED, 'opaque attribute')
    .u8(request.ownership === 'single' ? OwnershipMode.SINGLE : OwnershipMode.KEEP, 'ownership')
    .u32(
      (request.devicesOptional ? UnpackFlag.DEVICES_OPTIONAL : 0) |
        (request.sync ? UnpackFlag.SYNC : 0) |
        (request.keepRoot === true ? UnpackFlag.KEEP_ROOT : 0) |
        (request.keepKinds === true ? UnpackFlag.KEEP_KINDS : 0) |
        (request.plain === true ? UnpackFlag.PLAIN : 0) |
        (request.owner === undefined ? 0 : UnpackFlag.OWNER),
      'flags',
    )
    .u32(request.owner?.uid ?? 0, 'user id')
    .u32(request.owner?.gid ?? 0, 'group id')
    .str(request.temporary ?? '', 'temporary name')
    .u64(limits.archiveBytes, 'limit of bytes')
    .u64(limits.entries, 'limit of entries')
    .u64(limits.fileBytes, "limit of a file's bytes")
    .u32(limits.pathDepth, 'limit of path components')
    .u32(limits.headerBytes, 'limit of an extended header')
    .u32(limits.xattrBytes, 'limit of extended attributes')
    .finish();
}

export function encodeSweep({ tree, idMappings, directory, name, below }: SweepRequest): Buffer {
  const writer = begin(WorkerFrameType.SWEEP, idMappings);
  writeTree(writer, tree);
  return writer
    .str(directory, 'directory')
    .str(name, 'temporary name')
    .u8(below ? 1 : 0, 'what is below')
    .finish();
}

export function encodeRemove(path: string, idMappings: IdMappings | null): Buffer {
  return begin(WorkerFrameType.REMOVE, idMappings).str(path, 'path').finish();
}

export function encodeCopy(source: Tree, target: string, idMappings: IdMappings | null): Buffer {
  const writer = begin(WorkerFrameType.COPY, idMappings);
  writeTree(writer, source);
  return writer.str(target, 'path of the copy').finish();
}

export function encodeUsage(tree: Tree, idMappings: IdMappings | null): Buffer {
  const writer = begin(WorkerFrameType.USAGE, idMappings);
  writeTree(writer, tree);
  return writer.finish();
}

export function encodeMountpoints(tree: Tree, points: readonly Mountpoint[], idMappings: IdMappings | null): Buffer {
  const kinds = { directory: MountpointKind.DIRECTORY, file: MountpointKind.FILE, symlink: MountpointKind.SYMLINK };
  const writer = begin(WorkerFrameType.MOUNTPOINTS, idMappings);
  writeTree(writer, tree);
  return writer
    .list(points, (point) => {
      writer.u8(kinds[point.kind], 'kind of mount point').str(point.path, 'mount point');
      if (point.kind === 'symlink') writer.u32(0, 'mode').str(point.target, 'target of a symbolic link');
      else writer.u32(point.mode, 'mode').str('', 'target');
    })
    .finish();
}

export function encodePack(request: PackRequest): Buffer {
  const writer = begin(WorkerFrameType.PACK, request.idMappings);
  writeTree(writer, request.tree);
  return writer
    .str(request.path ?? '', 'path')
    .str(request.name ?? '', 'name in the archive')
    .u8(
      (request.whiteouts ? PackFlag.WHITEOUTS : 0) |
        (request.owners ? PackFlag.OWNERS : 0) |
        (request.adopt === true ? PackFlag.ADOPT : 0),
      'flags',
    )
    .finish();
}

export function encodeStat(tree: Tree, path: string, follow: boolean, idMappings: IdMappings | null): Buffer {
  const writer = begin(WorkerFrameType.STAT, idMappings);
  writeTree(writer, tree);
  return writer.str(path, 'path').bool(follow).finish();
}

/** Both trees lie below the base of the first. */
export function encodeCompare({ own, parent, marks, owners, output, idMappings }: CompareRequest): Buffer {
  const writer = begin(WorkerFrameType.COMPARE, idMappings);
  writeTree(writer, own);
  writer
    .u8(
      (marks ? CompareFlag.MARKS : 0) |
        (owners ? CompareFlag.OWNERS : 0) |
        (output === 'layer' ? CompareFlag.LAYER : 0),
      'flags',
    )
    .bool(parent !== null);
  if (parent !== null) writeTree(writer, parent);
  return writer.finish();
}

/** @param port - of TCP */
export function encodeConnect(port: number): Buffer {
  return begin(WorkerFrameType.CONNECT, null).u16(port, 'port').finish();
}

function begin(type: number, idMappings: IdMappings | null): FrameWriter {
  const writer = new FrameWriter(type, WORKER_MAX_REQUEST, 1024).u32(WORKER_VERSION, 'protocol version');
  writeIdMap(writer, idMapRequest(idMappings));
  return writer;
}

function writeTree(writer: FrameWriter, tree: Tree): void {
  switch (tree.kind) {
    case 'directory':
      writer
        .u8(TreeKind.DIRECTORY, 'kind of tree')
        .str(tree.path, 'path')
        .bool(tree.make ?? false);
      return;
    case 'overlay':
      writeOverlay(writer.u8(TreeKind.OVERLAY, 'kind of tree'), tree);
      return;
    case 'mounts':
      writer.u8(TreeKind.MOUNTS, 'kind of tree').list(tree.mounts, (mount) => writeMount(writer, mount));
      return;
    case 'namespace':
      writer
        .u8(TreeKind.NAMESPACE, 'kind of tree')
        .bool(tree.user !== null)
        .bool(tree.recursive);
  }
}

function writeMount(writer: FrameWriter, mount: TreeMount): void {
  writer
    .u8(mount.kind === 'bind' ? MountSource.BIND : MountSource.OVERLAY, 'kind of mount')
    .str(mount.target, 'target of a mount')
    .bool(mount.readonly);
  if (mount.kind === 'bind') writer.str(mount.source, 'source of a mount').bool(mount.recursive);
  else writeOverlay(writer, mount);
}

function writeOverlay(writer: FrameWriter, overlay: Omit<OverlayTree, 'kind' | 'base'>): void {
  writer
    .strings(overlay.lower, 'lower directory')
    .str(overlay.upper?.path ?? '', 'upper directory')
    .str(overlay.upper?.work ?? '', 'work directory')
    .bool(overlay.userxattr)
    .list(overlay.options ?? [], ([key, value]) => writer.str(key, 'mount option').str(value, 'mount option'));
}
