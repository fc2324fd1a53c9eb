// SPDX-License-Identifier: Apache-2.0
//
// What Node asks of the worker, which does all work on the file trees of images
// and containers: one process, one job, one answer. src/native/worker/protocol.ts
// is this file's mirror, held to it by a test. Framing is that of protocol.h.
#ifndef HAKO_WORKER_PROTOCOL_H
#define HAKO_WORKER_PROTOCOL_H

#define HAKO_WORKER_VERSION 1u

// File descriptors a worker is born with.
#define HAKO_WORKER_FD_INPUT 0  // UNPACK: the plain tar stream
#define HAKO_WORKER_FD_OUTPUT 1 // PACK: the tar stream
#define HAKO_WORKER_FD_SOCKET 3 // one request comes, one answer goes
#define HAKO_WORKER_FD_BASE 4   // O_DIRECTORY; becomes the worker's "/", so nothing outside it can be named

#define HAKO_WORKER_MAX_REQUEST (1u << 20)

enum hako_worker_frame {
  // ── to the worker: u32 version · idmap (as in START, protocol.h) · what is said below ──
  HAKO_WORKER_UNPACK = 1,
  HAKO_WORKER_REMOVE = 2,
  HAKO_WORKER_COPY = 3,
  HAKO_WORKER_USAGE = 4,
  HAKO_WORKER_MOUNTPOINTS = 5,
  HAKO_WORKER_PACK = 6,

  // ── from the worker ──
  HAKO_WORKER_DONE = 64,   // the job's result, below
  HAKO_WORKER_FAILED = 65, // str operation · i32 errno (0: not a system call's) · str detail
};

// A path is relative to the base directory, has no ".." and goes through no
// symlink: hako chose it, and whatever else is found there is a failure. "" is
// the base itself.
//
// tree: u8 HAKO_TREE_DIRECTORY · str path · u8 make it when it is not there (mode 0755)
//     | u8 HAKO_TREE_OVERLAY · list<str> lower directories, top first · str upper ("": read-only) · str work
//       · u8 userxattr; mounted where only the worker sees it
//
// UNPACK: tree · u8 whiteouts · u8 opaque xattr · u8 ownership · u32 HAKO_UNPACK_* · limits
//   limits: u64 bytes of the archive · u64 entries · u64 apparent bytes of one file · u32 components of a name
//           · u32 bytes of an extended header · u32 bytes of one entry's xattrs
//   DONE: u64 entries · u64 bytes read · u64 bytes written (without holes) · u64 devices skipped
//         · u64 xattrs dropped · u8 root opaque: the layer hides all layers below it, which overlayfs can't be told of
//         at the root of a lower directory
//   FAILED with operation "archive": the archive is malformed or does what none may; "limit": it is over one
// REMOVE: str path. DONE: nothing; also when it was not there
// COPY: tree · str target path, which must not be there.
//   DONE: u64 entries · u64 bytes copied · u64 bytes shared by reflink
// USAGE: tree. DONE: u64 bytes of disk, hard links counted once · u64 inodes
// MOUNTPOINTS: tree · list<u8 HAKO_MOUNTPOINT_* · str path · u32 mode · str symlink target>
//   makes what is not there, and parents; a path is resolved inside the tree, symlinks and all. DONE: u32 made
// PACK: tree · u8 HAKO_PACK_* flags. DONE: u64 entries · u64 bytes of the archive

enum hako_tree {
  HAKO_TREE_DIRECTORY = 0,
  HAKO_TREE_OVERLAY = 1,
};

// What becomes of ".wh." entries (OCI image spec, layer.md).
enum hako_whiteouts {
  HAKO_WHITEOUTS_NONE = 0,    // ordinary names
  HAKO_WHITEOUTS_OVERLAY = 1, // become overlayfs's own: the tree will be a lower directory
  HAKO_WHITEOUTS_APPLY = 2,   // delete from the tree, which holds the layers below
};

// overlayfs(5) keeps its marks in another namespace when mounted with userxattr.
enum hako_opaque_xattr {
  HAKO_OPAQUE_TRUSTED = 0, // trusted.overlay.opaque
  HAKO_OPAQUE_USER = 1,    // user.overlay.opaque
};

enum hako_ownership {
  HAKO_OWNERSHIP_KEEP = 0,   // ids as given, as seen from this user namespace
  HAKO_OWNERSHIP_SINGLE = 1, // everything belongs to us; other owners are kept in HAKO_OWNER_XATTR
};

// "<uid>:<gid>:<octal mode>" of a file or directory that should belong to another id than 0:0.
#define HAKO_OWNER_XATTR "user.hako.owner"

#define HAKO_UNPACK_DEVICES_OPTIONAL 0x1u // a device that may not be made here is passed over and counted
#define HAKO_UNPACK_SYNC 0x2u             // syncfs(2) before DONE

#define HAKO_PACK_WHITEOUTS 0x1u // overlayfs's marks become ".wh." entries; else they are left out
#define HAKO_PACK_OWNERS 0x2u    // ids come from HAKO_OWNER_XATTR where it is there
#define HAKO_PACK_ADOPT 0x4u     // what belongs to an id that the user namespace does not have belongs to 0

enum hako_mountpoint {
  HAKO_MOUNTPOINT_DIRECTORY = 0,
  HAKO_MOUNTPOINT_FILE = 1, // empty
  HAKO_MOUNTPOINT_SYMLINK = 2,
};

#endif
