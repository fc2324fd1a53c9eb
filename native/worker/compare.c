// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../common/fd.h"
#include "../common/walk.h"
#include "difference.h"
#include "pack_entry.h"

// A directory between the root and where the walk is.
struct level {
  struct walk_identity self;
  struct walk_identity old; // the parent's, while it has one
  size_t path_length;
  bool told; // that it is changed, or made
};

struct comparison {
  struct pack pack;
  uint8_t flags;
  uint64_t entries;
  struct bytes path; // of where the walk is
  struct level *levels;
  size_t depth;
  size_t size;
  size_t old_depth; // so many levels have a directory in the parent
  int old;          // the one of the last of them, open
};

enum change {
  SAME = 0,
  ADDED = 'A',
  MODIFIED = 'C',
  DELETED = 'D',
};

static int no_memory(struct failure *f) {
  return fail(f, "memory", ENOMEM, "comparing trees");
}

static bool is_layer(const struct comparison *c) {
  return (c->flags & HAKO_COMPARE_LAYER) != 0;
}

static bool has_marks(const struct comparison *c) {
  return (c->flags & HAKO_COMPARE_MARKS) != 0;
}

static bool has_old_here(const struct comparison *c) {
  return c->depth > 0 && c->old_depth == c->depth;
}

// In a layer such a name deletes another, and can't be that of a file.
static bool is_unspeakable(const struct comparison *c, const char *name) {
  return is_layer(c) && strncmp(name, ".wh.", 4) == 0;
}

// ── what is told ──

static int put_line(struct comparison *c, enum change change, size_t path_length, struct failure *f) {
  const char kind = (char)change;
  c->entries++;
  if (tar_write_data(&c->pack.writer, &kind, 1, f) < 0 ||
      tar_write_data(&c->pack.writer, c->path.data, path_length, f) < 0)
    return -1;
  return tar_write_data(&c->pack.writer, "", 1, f);
}

static int name_entry(struct comparison *c, size_t path_length, struct failure *f) {
  c->pack.path.length = 0;
  if (!bytes_append(&c->pack.path, c->path.data, path_length) || !bytes_append(&c->pack.path, "", 1))
    return no_memory(f);
  c->pack.path.length--;
  return 0;
}

// The entry of a directory between the root and `current`, which is where the walk is, open.
static int put_directory(struct comparison *c, size_t index, enum change change, int current, struct failure *f) {
  struct level *level = &c->levels[index];
  level->told = true;
  if (!is_layer(c))
    return put_line(c, change, level->path_length, f);
  cleanup_fd int fd = fcntl(current, F_DUPFD_CLOEXEC, 0);
  for (size_t at = c->depth - 1; at > index && fd >= 0; at--) {
    int up = walk_up(fd, &c->levels[at - 1].self);
    close_fd(&fd);
    fd = up;
  }
  if (fd < 0)
    return fail(f, "walk", errno, "a directory was moved while its tree was walked");
  return name_entry(c, level->path_length, f) < 0 ? -1 : pack_directory(&c->pack, fd, bytes_text(&c->pack.path), f);
}

// Whoever is told of a change is told of the directories on the way to it first.
static int tell_way(struct comparison *c, int current, struct failure *f) {
  for (size_t i = 1; i < c->depth; i++)
    if (!c->levels[i].told && put_directory(c, i, MODIFIED, current, f) < 0)
      return -1;
  return 0;
}

// `name` in `parent`, which is where the walk is; the path is the name's.
static int put_leaf(struct comparison *c, enum change change, int parent, const char *name, const struct stat *status,
                    struct failure *f) {
  if (tell_way(c, parent, f) < 0)
    return -1;
  if (!is_layer(c))
    return put_line(c, change, c->path.length, f);
  if (name_entry(c, c->path.length, f) < 0)
    return -1;
  return change == DELETED ? pack_whiteout(&c->pack, name, f) : pack_leaf(&c->pack, parent, name, status, f);
}

// ── what has changed ──

static bool files_differ(const struct comparison *c, int parent, const char *name) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  cleanup_fd int own = openat(parent, name, flags);
  cleanup_fd int old = openat(c->old, name, flags);
  return own < 0 || old < 0 || differs_in_xattrs(own, old);
}

static enum change change_of(const struct comparison *c, int parent, const char *name, const struct stat *status) {
  struct stat old;
  if (!has_old_here(c) || fstatat(c->old, name, &old, AT_SYMLINK_NOFOLLOW) < 0)
    return ADDED;
  if (differs_in_status(status, &old))
    return MODIFIED;
  // With its time set back, a file's content may be another all the same.
  if (is_layer(c) && has_marks(c))
    return MODIFIED;
  return S_ISREG(status->st_mode) && files_differ(c, parent, name) ? MODIFIED : SAME;
}

static bool is_whiteout(const struct comparison *c, int parent, const char *name, const struct stat *status) {
  if (!has_marks(c))
    return false;
  if (S_ISCHR(status->st_mode))
    return status->st_rdev == makedev(0, 0);
  if (!S_ISREG(status->st_mode) || status->st_size > 0)
    return false;
  cleanup_fd int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  return fd >= 0 && pack_has_mark(fd, "whiteout");
}

static int compare_leaf(struct comparison *c, int parent, const char *name, struct failure *f) {
  struct stat status;
  struct stat old;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : fail(f, "stat", errno, name);
  if (is_whiteout(c, parent, name, &status)) {
    bool was_there = has_old_here(c) && fstatat(c->old, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    return was_there ? put_leaf(c, DELETED, parent, name, NULL, f) : 0;
  }
  enum change change = change_of(c, parent, name, &status);
  return change == SAME ? 0 : put_leaf(c, change, parent, name, &status, f);
}

static int visit_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct comparison *c = context;
  if (is_unspeakable(c, name))
    return 0;
  if (!walk_path_push(&c->path, name))
    return no_memory(f);
  int result = compare_leaf(c, parent, name, f);
  walk_path_pop(&c->path);
  return result;
}

// What the parent has in a directory and the tree has not.
static int tell_deleted(struct comparison *c, int current, struct failure *f) {
  struct stat status;
  int fd = openat(c->old, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) {
    int errnum = errno;
    close_fd(&fd);
    return fail(f, "readdir", errnum, bytes_text(&c->path));
  }
  int result = 0;
  for (const struct dirent *entry; result == 0 && (entry = readdir(directory));) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_unspeakable(c, name) ||
        fstatat(current, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
      continue;
    if (!walk_path_push(&c->path, name))
      result = no_memory(f);
    else
      result = put_leaf(c, DELETED, current, name, NULL, f);
    walk_path_pop(&c->path);
  }
  closedir(directory);
  return result;
}

// ── directories ──

static struct level *add_level(struct comparison *c, int fd) {
  if (c->depth == c->size) {
    size_t size = c->size > 0 ? c->size * 2 : 64;
    struct level *levels = realloc(c->levels, size * sizeof *levels);
    if (!levels)
      return NULL;
    c->levels = levels;
    c->size = size;
  }
  struct level *level = &c->levels[c->depth];
  *level = (struct level){.path_length = c->path.length};
  if (walk_identify(fd, &level->self) < 0)
    return NULL;
  c->depth++;
  return level;
}

// Goes down in the parent as well, where it has a directory of that name.
static enum change enter_old(struct comparison *c, struct level *level, const char *name, int fd) {
  struct stat status;
  struct stat old_status;
  if (c->old_depth + 1 != c->depth || c->old < 0 || fstat(fd, &status) < 0)
    return ADDED;
  bool top = c->depth == 1;
  if (!top && fstatat(c->old, name, &old_status, AT_SYMLINK_NOFOLLOW) < 0)
    return ADDED;
  cleanup_fd int old = walk_down(c->old, top ? "." : name);
  if (old < 0 || walk_identify(old, &level->old) < 0 || fstat(old, &old_status) < 0)
    return MODIFIED;
  bool differs = differs_in_status(&status, &old_status) || differs_in_xattrs(fd, old);
  close_fd(&c->old);
  c->old = steal_fd(&old);
  c->old_depth++;
  return differs ? MODIFIED : SAME;
}

static int enter_directory(void *context, int parent, const char *name, int fd, struct failure *f) {
  struct comparison *c = context;
  (void)parent;
  if (*name && !walk_path_push(&c->path, name))
    return no_memory(f);
  struct level *level = add_level(c, fd);
  if (!level)
    return no_memory(f);
  if (is_unspeakable(c, name))
    return 1;
  enum change change = enter_old(c, level, name, fd);
  if (c->depth > 1 && change != SAME) {
    level->told = true; // in its turn, below
    if (tell_way(c, fd, f) < 0 || put_directory(c, c->depth - 1, change, fd, f) < 0)
      return -1;
  }
  bool hides = has_old_here(c) && (!has_marks(c) || pack_has_mark(fd, "opaque"));
  return hides ? tell_deleted(c, fd, f) : 0;
}

static int leave_directory(void *context, int parent, const char *name, struct failure *f) {
  struct comparison *c = context;
  (void)parent;
  bool had_old = has_old_here(c);
  c->depth--;
  walk_path_pop(&c->path);
  if (!had_old)
    return 0;
  c->old_depth--;
  if (c->depth == 0)
    return 0;
  int up = walk_up(c->old, &c->levels[c->depth - 1].old);
  if (up < 0)
    return fail(f, "walk", errno, name);
  close_fd(&c->old);
  c->old = up;
  return 0;
}

int compare_trees(int own, int parent, int output, uint8_t flags, struct compare_result *result, struct failure *f) {
  static const struct walk_visitor visitor = {
      .leaf = visit_leaf,
      .enter = enter_directory,
      .leave = leave_directory,
      .sorted = true,
  };
  static struct comparison c; // too large for a stack
  c.flags = flags;
  c.pack.flags = flags & HAKO_COMPARE_OWNERS ? HAKO_PACK_OWNERS : 0;
  c.pack.writer.fd = output;
  c.old = parent < 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 0);
  int done = walk(own, "", &visitor, &c, f);
  if (done == 0)
    done = is_layer(&c) ? tar_write_end(&c.pack.writer, f) : tar_write_flush(&c.pack.writer, f);
  *result = (struct compare_result){.entries = c.entries + c.pack.entries, .bytes = c.pack.writer.bytes};
  pack_free(&c.pack);
  bytes_free(&c.path);
  free(c.levels);
  close_fd(&c.old);
  return done;
}
