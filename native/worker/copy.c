// SPDX-License-Identifier: Apache-2.0
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/walk.h"
#include "copy_data.h"
#include "link_table.h"
#include "metadata.h"
#include "parents.h"
#include "walk_path.h"
#include "xattrs.h"

// A directory of the copy between its top and where the walk is.
struct level {
  struct walk_identity self;
  struct metadata meta;
};

struct copy {
  int parent;
  const char *name;
  int root; // of the copy
  int current;
  struct level *levels;
  size_t depth;
  size_t size;
  struct bytes path; // of `current`, from the copy's root
  struct link_table links;
  struct copy_data data;
  struct copy_result *result;
};

static struct metadata metadata_of(const struct stat *status) {
  return (struct metadata){
      .mode = status->st_mode & 07777,
      .uid = status->st_uid,
      .gid = status->st_gid,
      .mtime = status->st_mtim,
  };
}

static int no_memory(struct failure *f) {
  return fail(f, "memory", ENOMEM, "copy");
}

struct attributed {
  int fd;
  const char *name;
};

static int copy_xattr(void *context, const char *attribute, const void *value, size_t length, struct failure *f) {
  const struct attributed *to = context;
  int set = set_xattr(to->fd, attribute, value, length, f);
  return set == 0 ? fail(f, "setxattr", ENOTSUP, attribute, " on ", to->name) : set < 0 ? -1 : 0;
}

static int copy_xattrs(int from, int to, const char *name, struct failure *f) {
  struct attributed target = {.fd = to, .name = name};
  return each_xattr(from, name, &(struct xattr_walk){.owner = true, .visit = copy_xattr, .context = &target}, f);
}

static int copy_file(struct copy *c, int parent, const char *name, const struct stat *status, struct failure *f) {
  const struct metadata meta = metadata_of(status);
  // O_NONBLOCK: should it have become a fifo meanwhile.
  cleanup_fd int from = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (from < 0)
    return fail(f, "open", errno, name);
  cleanup_fd int to = openat(c->current, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0)
    return fail(f, "create", errno, name);
  if (copy_data(&c->data, from, to, (uint64_t)status->st_size) < 0)
    return fail(f, "copy", errno, name);
  if (set_owner(to, &meta, HAKO_OWNERSHIP_KEEP, name, f) < 0 || copy_xattrs(from, to, name, f) < 0)
    return -1;
  if (fchmod(to, meta.mode) < 0)
    return fail(f, "chmod", errno, name);
  return set_mtime(to, &meta.mtime, name, f);
}

static int copy_symlink(struct copy *c, int parent, const char *name, const struct metadata *meta, struct failure *f) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
  if (length < 0)
    return fail(f, "readlink", errno, name);
  target[length] = 0;
  if (symlinkat(target, c->current, name) < 0)
    return fail(f, "symlink", errno, name);
  return set_unopened(c->current, name, true, meta, HAKO_OWNERSHIP_KEEP, f);
}

static int copy_node(struct copy *c, const char *name, const struct stat *status, const struct metadata *meta,
                     struct failure *f) {
  if (mknodat(c->current, name, status->st_mode, status->st_rdev) < 0)
    return fail(f, "mknod", errno, name);
  return set_unopened(c->current, name, false, meta, HAKO_OWNERSHIP_KEEP, f);
}

// `first`: the path of the copy of the same inode, from the copy's root.
static int copy_link(struct copy *c, const char *first, const char *name, struct failure *f) {
  const char *slash = strrchr(first, '/');
  char directory[PATH_MAX];
  size_t length = slash ? (size_t)(slash - first) : 0;
  if (length >= sizeof directory)
    return fail(f, "link", ENAMETOOLONG, name);
  memcpy(directory, first, length);
  directory[length] = 0;
  cleanup_fd int from = open_in_root(c->root, directory, O_PATH | O_DIRECTORY, 0);
  if (from < 0 || linkat(from, slash ? slash + 1 : first, c->current, name, 0) < 0)
    return fail(f, "link", errno, name);
  return 0;
}

static int copy_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct copy *c = context;
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return fail(f, "stat", errno, name);
  bool full = !walk_path_push(&c->path, name);
  const char *first = full ? NULL : link_table_meet(&c->links, &status, bytes_text(&c->path), &full);
  if (full)
    return no_memory(f);
  walk_path_pop(&c->path);
  c->result->entries++;
  const struct metadata meta = metadata_of(&status);
  if (first)
    return copy_link(c, first, name, f);
  if (S_ISREG(status.st_mode))
    return copy_file(c, parent, name, &status, f);
  if (S_ISLNK(status.st_mode))
    return copy_symlink(c, parent, name, &meta, f);
  return copy_node(c, name, &status, &meta, f);
}

// The copied directory becomes the current one, its owner and mode still ours to write into it.
static int enter_directory(void *context, int parent, const char *name, int fd, struct failure *f) {
  struct copy *c = context;
  (void)parent;
  struct stat status;
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, name);
  bool top = c->depth == 0;
  int in = top ? c->parent : c->current;
  const char *called = top ? c->name : name;
  if (mkdirat(in, called, 0700) < 0)
    return fail(f, "mkdir", errno, called);
  cleanup_fd int made = walk_down(in, called);
  if (made < 0)
    return fail(f, "open", errno, called);
  if (c->depth == c->size) {
    size_t size = c->size > 0 ? c->size * 2 : 64;
    struct level *levels = realloc(c->levels, size * sizeof *levels);
    if (!levels)
      return no_memory(f);
    c->levels = levels;
    c->size = size;
  }
  struct level *level = &c->levels[c->depth];
  level->meta = metadata_of(&status);
  if (walk_identify(made, &level->self) < 0)
    return fail(f, "stat", errno, called);
  if (!top && !walk_path_push(&c->path, name))
    return no_memory(f);
  if (top)
    c->root = fcntl(made, F_DUPFD_CLOEXEC, 0);
  if (c->root < 0)
    return fail(f, "open", errno, called);
  c->depth++;
  c->result->entries++;
  close_fd(&c->current);
  c->current = steal_fd(&made);
  return copy_xattrs(fd, c->current, called, f);
}

static int leave_directory(void *context, int parent, const char *name, struct failure *f) {
  struct copy *c = context;
  (void)parent;
  const struct level *level = &c->levels[--c->depth];
  const struct metadata *meta = &level->meta;
  // Up first: with the mode that it gets, it might not let us.
  cleanup_fd int done = steal_fd(&c->current);
  if (c->depth > 0) {
    c->current = walk_up(done, &c->levels[c->depth - 1].self);
    if (c->current < 0)
      return fail(f, "walk", errno, name);
    walk_path_pop(&c->path);
  }
  if (set_owner(done, meta, HAKO_OWNERSHIP_KEEP, name, f) < 0)
    return -1;
  if (fchmod(done, meta->mode) < 0)
    return fail(f, "chmod", errno, name);
  return set_mtime(done, &meta->mtime, name, f);
}

int copy_tree(int source, int parent, const char *name, struct copy_result *result, struct failure *f) {
  static const struct walk_visitor visitor = {.leaf = copy_leaf, .enter = enter_directory, .leave = leave_directory};
  struct copy c = {.parent = parent, .name = name, .root = -1, .current = -1, .result = result};
  *result = (struct copy_result){0};
  mode_t mask = umask(0);
  int done = walk(source, "", &visitor, &c, f);
  umask(mask);
  result->bytes_copied = c.data.copied;
  result->bytes_shared = c.data.shared;
  close_fd(&c.root);
  close_fd(&c.current);
  free(c.levels);
  bytes_free(&c.path);
  link_table_free(&c.links);
  return done;
}
