// SPDX-License-Identifier: Apache-2.0
//
// What Node asks of the worker, which does all work on the file trees of images
// and containers, and in their namespaces: one process, one job, one answer. src/native/worker/protocol.ts
// is this file's mirror, held to it by a test. Framing is that of protocol.h.
#ifndef HAKO_WORKER_PROTOCOL_H
#define HAKO_WORKER_PROTOCOL_H

#define HAKO_WORKER_VERSION 4u

// File descriptors a worker is born with.
#define HAKO_WORKER_FD_INPUT 0  // UNPACK: the plain tar stream
#define HAKO_WORKER_FD_OUTPUT 1 // PACK: the tar stream; COMPARE: the list, or the tar stream; CONNECT: a unix socket
#define HAKO_WORKER_FD_SOCKET 3 // one request comes, one answer goes
#define HAKO_WORKER_FD_BASE 4   // O_DIRECTORY; becomes the worker's "/", so nothing outside it can be named
#define HAKO_WORKER_FD_MOUNT_NAMESPACE 5 // HAKO_TREE_NAMESPACE
#define HAKO_WORKER_FD_USER_NAMESPACE 6  // the same, when it is another than ours
#define HAKO_WORKER_FD_NETWORK_NAMESPACE 5 // CONNECT

#define HAKO_WORKER_MAX_REQUEST (1u << 20)

enum hako_worker_frame {
  // ── to the worker: u32 version · idmap (as in START, protocol.h) · what is said below ──
  HAKO_WORKER_UNPACK = 1,
  HAKO_WORKER_REMOVE = 2,
  HAKO_WORKER_COPY = 3,
  HAKO_WORKER_USAGE = 4,
  HAKO_WORKER_MOUNTPOINTS = 5,
  HAKO_WORKER_PACK = 6,
  HAKO_WORKER_STAT = 7,
  HAKO_WORKER_COMPARE = 8,
  HAKO_WORKER_CONNECT = 9,
  HAKO_WORKER_SWEEP = 10,

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
//       · u8 userxattr · list<str key · str value> further options; mounted where only the worker sees it
//     | u8 HAKO_TREE_MOUNTS · list<u8 HAKO_MOUNT_* · str target · u8 read-only · what that kind has>: the first is the
//       root, others lie in it. Paths are the host's, absolute; the base is covered by the root. A target is resolved
//       inside the root, and made when it is not there. Never UNPACK's of an image, nor COMPARE's
//       HAKO_MOUNT_BIND: str source · u8 with what is mounted in it
//       HAKO_MOUNT_OVERLAY: as HAKO_TREE_OVERLAY
//     | u8 HAKO_TREE_NAMESPACE · u8 user namespace is given · u8 with what is mounted in the root: the root of the
//       mount namespace at its descriptor; the idmap says nothing
//
// UNPACK: tree · str directory that the archive is for ("": the root), in which symlinks are followed inside the tree
//   · u8 whiteouts · u8 opaque xattr · u8 ownership · u32 HAKO_UNPACK_* · u32 uid · u32 gid
//   · str name of a file in its directory until it is whole, one component ("": its own) · limits
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
// PACK: tree · str path of what to pack ("": all), its last component not followed · str name that it has in the
//   archive, one component ("": "./", and what is in it without a directory) · u8 HAKO_PACK_* flags. DONE: u64 entries · u64 bytes of the archive
// STAT: tree · str path · u8 follow its last component. DONE: u32 st_mode · u64 size · i64 and u32 mtime
//   · str path with every symlink resolved inside the tree · str for a symlink: where it leads, resolved in the same way
//   FAILED with operation "path": it is not there, or leads nowhere
//   "kernel-fs": it lies on a filesystem that shows the kernel's state, as /proc does; UNPACK too
// COMPARE: tree · u8 HAKO_COMPARE_* flags · u8 there is a parent · tree of the parent.
//   Writes what is different: by default a list of u8 'A' added, 'C' modified, 'D' deleted · path · NUL
//   DONE: u64 entries · u64 bytes written
// CONNECT: u16 TCP port, on the loopback addresses of the network namespace. The base and the idmap say nothing. DONE:
//   nothing; the connected socket has been sent over the output by SCM_RIGHTS, with one byte
// SWEEP: tree · str directory · str name · u8 also below it. Removes the files of that name, which an UNPACK has left.
//   DONE: u32 removed

enum hako_tree {
  HAKO_TREE_DIRECTORY = 0,
  HAKO_TREE_OVERLAY = 1,
  HAKO_TREE_MOUNTS = 2,
  HAKO_TREE_NAMESPACE = 3,
};

enum hako_mount {
  HAKO_MOUNT_BIND = 0,
  HAKO_MOUNT_OVERLAY = 1,
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
#define HAKO_UNPACK_KEEP_ROOT 0x4u        // an entry for the directory itself changes nothing of it
#define HAKO_UNPACK_KEEP_KINDS 0x8u       // what is a directory stays one, and what is none becomes none: else "kind"
#define HAKO_UNPACK_OWNER 0x10u           // everything belongs to uid and gid, whatever the archive says
#define HAKO_UNPACK_PLAIN 0x20u           // no set-id mode, device or security.capability: what they gave in a container they would give on the host

#define HAKO_PACK_WHITEOUTS 0x1u // overlayfs's marks become ".wh." entries; else they are left out
#define HAKO_PACK_OWNERS 0x2u    // ids come from HAKO_OWNER_XATTR where it is there
#define HAKO_PACK_ADOPT 0x4u     // what belongs to an id that the user namespace does not have belongs to 0

#define HAKO_COMPARE_MARKS 0x1u  // the tree holds only what is new, and overlayfs's marks for what is gone
#define HAKO_COMPARE_OWNERS 0x2u // as HAKO_PACK_OWNERS
#define HAKO_COMPARE_LAYER 0x4u  // an image's layer (OCI image spec, layer.md) instead of the list

enum hako_mountpoint {
  HAKO_MOUNTPOINT_DIRECTORY = 0,
  HAKO_MOUNTPOINT_FILE = 1, // empty
  HAKO_MOUNTPOINT_SYMLINK = 2,
};

#endif
