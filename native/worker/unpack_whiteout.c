// SPDX-License-Identifier: Apache-2.0
//
// Whiteouts. An entry named ".wh.x" deletes x of the layers below, ".wh..wh..opq"
// everything that they have in its directory. Neither touches what the same
// archive brings, wherever in it the whiteout stands.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/walk.h"
#include "unpack_state.h"

#define PREFIX ".wh."
#define META_PREFIX ".wh..wh."
#define OPAQUE ".wh..wh..opq"

static int no_memory(struct unpack *u) {
  return fail(u->f, "memory", ENOMEM, "table of names");
}

static bool put(struct key_set *set, uint64_t key) {
  bool was_there;
  return key_set_put(set, key, 0, &was_there) != NULL;
}

int unpack_note_made(struct unpack *u, int parent, const char *name) {
  uint64_t key;
  if (u->options->whiteouts != HAKO_WHITEOUTS_APPLY)
    return 0;
  if (!unpack_key(u, parent, name, &key))
    return -1;
  return put(&u->ours, key) ? 0 : no_memory(u);
}

// ── overlayfs's own marks ──

static bool is_overlay_whiteout(const struct stat *status) {
  return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static int set_opaque(struct unpack *u, int fd) {
  const char *name = u->options->opaque_xattr == HAKO_OPAQUE_USER ? "user.overlay.opaque" : "trusted.overlay.opaque";
  return fsetxattr(fd, name, "y", 1, 0) == 0 ? 0 : fail(u->f, "setxattr", errno, name);
}

int unpack_note_directory(struct unpack *u, int parent, const char *name, int fd) {
  uint64_t key;
  if (u->deleted.count == 0)
    return 0;
  if (!unpack_key(u, parent, name, &key))
    return -1;
  return key_set_has(&u->deleted, key) ? set_opaque(u, fd) : 0;
}

bool unpack_yield_whiteout(void *context, int parent, const char *name) {
  struct unpack *u = context;
  struct stat status;
  return u->options->whiteouts == HAKO_WHITEOUTS_OVERLAY && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_overlay_whiteout(&status) && unlinkat(parent, name, 0) == 0;
}

static int overlay_delete(struct unpack *u, int parent, const char *name) {
  uint64_t key;
  if (!unpack_key(u, parent, name, &key))
    return -1;
  if (!put(&u->deleted, key))
    return no_memory(u);
  // Char device 0:0. Since Linux 5.8 that one needs no privilege, so the form is the same everywhere.
  if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0)
    return 0;
  if (errno != EEXIST)
    return fail(u->f, "mknod", errno, "whiteout of ", name);
  // The archive has brought the name already. A file hides what is below by itself.
  cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOTDIR || errno == ELOOP ? 0 : fail(u->f, "open", errno, name);
  return set_opaque(u, fd);
}

static int overlay_empty(struct unpack *u, int parent) {
  struct walk_identity directory;
  struct walk_identity root;
  cleanup_fd int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || walk_identify(fd, &directory) < 0 || walk_identify(u->parents.root, &root) < 0)
    return fail(u->f, "open", errno, "directory to make opaque");
  if (directory.inode == root.inode && directory.device == root.device)
    u->result->root_opaque = true;
  return set_opaque(u, fd);
}

// ── deleting from the tree itself ──
//
// A directory in which nothing older is left is remembered, and walked only once: however often an archive empties
// the same directories, the work is bounded by what they hold.

static int delete_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct unpack *u = context;
  uint64_t key;
  if (!unpack_key(u, parent, name, &key))
    return -1;
  if (key_set_has(&u->ours, key) || unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    return 0;
  return fail(f, "unlink", errno, name);
}

static int note_emptied(void *context, int parent, const char *name, int fd, struct failure *f) {
  (void)parent;
  struct unpack *u = context;
  struct stat status;
  bool already;
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, name);
  if (!key_set_put(&u->emptied, key_of(status.st_dev, status.st_ino, NULL), 0, &already))
    return no_memory(u);
  return already ? 1 : 0;
}

// An older directory stays when it holds something of this archive.
static int delete_directory(void *context, int parent, const char *name, struct failure *f) {
  struct unpack *u = context;
  uint64_t key;
  if (*name == 0)
    return 0;
  if (!unpack_key(u, parent, name, &key))
    return -1;
  if (key_set_has(&u->ours, key) || unlinkat(parent, name, AT_REMOVEDIR) == 0)
    return 0;
  return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT ? 0 : fail(f, "rmdir", errno, name);
}

static int delete_older(struct unpack *u, int parent, const char *name) {
  static const struct walk_visitor visitor = {
      .leaf = delete_leaf,
      .enter = note_emptied,
      .leave = delete_directory,
  };
  parents_forget(&u->parents);
  return walk(parent, name, &visitor, u, u->f);
}

// ── both ──

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool unpack_is_aufs_meta(const struct unpack *u, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  if (u->options->whiteouts == HAKO_WHITEOUTS_NONE || strcmp(base, OPAQUE) == 0)
    return false;
  return starts_with(path, META_PREFIX) || starts_with(base, META_PREFIX);
}

int unpack_whiteout(struct unpack *u, const struct place *place) {
  const char *base = place->base;
  if (u->options->whiteouts == HAKO_WHITEOUTS_NONE || !starts_with(base, PREFIX))
    return 0;
  bool overlay = u->options->whiteouts == HAKO_WHITEOUTS_OVERLAY;
  if (strcmp(base, OPAQUE) == 0)
    return (overlay ? overlay_empty(u, place->parent) : delete_older(u, place->parent, "")) < 0 ? -1 : 1;
  const char *name = base + sizeof PREFIX - 1;
  if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return fail(u->f, TAR_MALFORMED, 0, "a whiteout of nothing, of its directory or of the parent: ", place->path);
  return (overlay ? overlay_delete(u, place->parent, name) : delete_older(u, place->parent, name)) < 0 ? -1 : 1;
}
