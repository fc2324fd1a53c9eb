import type { IdMappings } from '../../contracts/isolation.ts';
import { idMapRequest } from '../id-map.ts';
import { writeIdMap } from '../protocol/encode.ts';
import { FrameWriter } from '../protocol/wire.ts';
import {
  MountpointKind,
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
import type { ArchiveLimits, Mountpoint, PackRequest, Tree, UnpackRequest } from './requests.ts';

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
    .u8(mode[whiteouts], 'whiteouts')
    .u8(whiteouts === 'overlay-userxattr' ? OpaqueXattr.USER : OpaqueXattr.TRUSTED, 'opaque attribute')
    .u8(request.ownership === 'single' ? OwnershipMode.SINGLE : OwnershipMode.KEEP, 'ownership')
    .u32((request.devicesOptional ? UnpackFlag.DEVICES_OPTIONAL : 0) | (request.sync ? UnpackFlag.SYNC : 0), 'flags')
    .u64(limits.archiveBytes, 'limit of bytes')
    .u64(limits.entries, 'limit of entries')
    .u64(limits.fileBytes, "limit of a file's bytes")
    .u32(limits.pathDepth, 'limit of path components')
    .u32(limits.headerBytes, 'limit of an extended header')
    .u32(limits.xattrBytes, 'limit of extended attributes')
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
    .u8(
      (request.whiteouts ? PackFlag.WHITEOUTS : 0) |
        (request.owners ? PackFlag.OWNERS : 0) |
        (request.adopt === true ? PackFlag.ADOPT : 0),
      'flags',
    )
    .finish();
}

function begin(type: number, idMappings: IdMappings | null): FrameWriter {
  const writer = new FrameWriter(type, WORKER_MAX_REQUEST, 1024).u32(WORKER_VERSION, 'protocol version');
  writeIdMap(writer, idMapRequest(idMappings));
  return writer;
}

function writeTree(writer: FrameWriter, tree: Tree): void {
  if (tree.kind === 'directory') {
    writer
      .u8(TreeKind.DIRECTORY, 'kind of tree')
      .str(tree.path, 'path')
      .bool(tree.make ?? false);
    return;
  }
  writer.u8(TreeKind.OVERLAY, 'kind of tree').strings(tree.lower, 'lower directory');
  writer
    .str(tree.upper?.path ?? '', 'upper directory')
    .str(tree.upper?.work ?? '', 'work directory')
    .bool(tree.userxattr);
}
