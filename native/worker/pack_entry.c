// SPDX-License-Identifier: Apache-2.0
#include "pack_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../common/fd.h"
#include "link_table.h"
#include "tar_writer.h"
#include "walk_path.h"
#include "worker_protocol.h"
#include "xattrs.h"

static int no_memory(struct failure *f) {
  return fail(f, "memory", ENOMEM, "pack");
}

static int put(struct pack *p, const struct tar_output *output, struct failure *f) {
  p->entries++;
  return tar_write_entry(&p->writer, output, f);
}

// ── what is read off an open file or directory ──

static int add_xattr(void *context, const char *name, const void *value, size_t length, struct failure *f) {
  struct pack *p = context;
  return tar_write_xattr(&p->writer, name, value, length, f);
}

static int add_xattrs(struct pack *p, int fd, const char *name, struct failure *f) {
  return each_xattr(fd, name, &(struct xattr_walk){.visit = add_xattr, .context = p}, f);
}

static void restore_owner(const struct pack *p, int fd, struct tar_output *output) {
  char text[64];
  unsigned uid;
  unsigned gid;
  unsigned mode;
  ssize_t length = p->flags & HAKO_PACK_OWNERS ? fgetxattr(fd, HAKO_OWNER_XATTR, text, sizeof text - 1) : -1;
  if (length <= 0)
    return;
  text[length] = 0;
  if (sscanf(text, "%u:%u:%o", &uid, &gid, &mode) == 3) {
    output->uid = uid;
    output->gid = gid;
    output->mode = mode & 07777;
  }
}

bool pack_has_mark(int fd, const char *mark) {
  static const char *const prefixes[] = {"trusted.overlay.", "user.overlay."};
  for (size_t i = 0; i < 2; i++) {
    char name[64];
    char value[8];
    snprintf(name, sizeof name, "%s%s", prefixes[i], mark);
    ssize_t length = fgetxattr(fd, name, value, sizeof value);
    // "x" on a directory only says that there are whiteout files in it.
    if (length == 0 || (length > 0 && value[0] == 'y'))
      return true;
  }
  return false;
}

// ── files ──

static bool map_data(struct tar_sparse *map, int fd, off_t size) {
  map->count = 0;
  for (off_t at = 0; at < size;) {
    off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0)
      break;
    off_t hole = lseek(fd, data, SEEK_HOLE);
    at = hole < 0 || hole > size ? size : hole;
    if (data >= at || !tar_sparse_add(map, (uint64_t)data, (uint64_t)(at - data)))
      return data >= at;
  }
  // A hole at the end shows in nothing else.
  return tar_sparse_add(map, (uint64_t)size, 0);
}

// Zeros for what a file loses while it is read: the header has said how much comes.
static int send_range(struct pack *p, int fd, off_t at, uint64_t length, const char *name, struct failure *f) {
  static char buffer[64 << 10];
  while (length > 0) {
    size_t want = length < sizeof buffer ? (size_t)length : sizeof buffer;
    ssize_t got = RETRY(pread(fd, buffer, want, at));
    if (got < 0)
      return fail(f, "read", errno, name);
    if (got == 0) {
      memset(buffer, 0, want);
      got = (ssize_t)want;
    }
    if (tar_write_data(&p->writer, buffer, (size_t)got, f) < 0)
      return -1;
    at += got;
    length -= (uint64_t)got;
  }
  return 0;
}

static int send_file(struct pack *p, int fd, const struct stat *status, struct tar_output *output, const char *name,
                     struct failure *f) {
  output->size = (uint64_t)status->st_size;
  if (status->st_blocks < status->st_size / 512 && map_data(&p->sparse, fd, status->st_size))
    output->sparse = &p->sparse;
  restore_owner(p, fd, output);
  if (add_xattrs(p, fd, name, f) < 0 || put(p, output, f) < 0)
    return -1;
  if (!output->sparse)
    return send_range(p, fd, 0, output->size, name, f) < 0 ? -1 : tar_write_padding(&p->writer, f);
  for (size_t i = 0; i < p->sparse.count; i++) {
    const struct tar_extent *extent = &p->sparse.extents[i];
    if (send_range(p, fd, (off_t)extent->offset, extent->length, name, f) < 0)
      return -1;
  }
  return tar_write_padding(&p->writer, f);
}

// ── entries ──

// DEFAULT_OVERFLOWUID of the kernel: how stat(2) shows an id that the user namespace does not have.
#define FOREIGN 65534u

static unsigned owner_of(const struct pack *p, unsigned id) {
  return id == FOREIGN && (p->flags & HAKO_PACK_ADOPT) ? 0 : id;
}

static struct tar_output output_for(const struct pack *p, char type, const struct stat *status) {
  return (struct tar_output){
      .type = type,
      .path = bytes_text(&p->path),
      .link_path = "",
      .mode = status->st_mode & 07777,
      .uid = owner_of(p, status->st_uid),
      .gid = owner_of(p, status->st_gid),
      .mtime = status->st_mtim,
  };
}

int pack_whiteout(struct pack *p, const char *name, struct failure *f) {
  static const struct stat nobody; // a whiteout has neither owner nor time
  char marked[NAME_MAX + sizeof ".wh."];
  snprintf(marked, sizeof marked, ".wh.%s", name);
  if (strlen(marked) > NAME_MAX)
    return fail(f, "pack", ENAMETOOLONG, "a whiteout of ", name);
  walk_path_pop(&p->path);
  if (!walk_path_push(&p->path, marked))
    return no_memory(f);
  struct tar_output output = output_for(p, '0', &nobody);
  output.mode = 0600;
  return put(p, &output, f);
}

// In the place of an entry; where whiteouts are not asked for there is nothing at all.
static int put_whiteout(struct pack *p, const char *name, struct failure *f) {
  return p->flags & HAKO_PACK_WHITEOUTS ? pack_whiteout(p, name, f) : 0;
}

static int put_regular(struct pack *p, int parent, const char *name, struct failure *f) {
  struct stat opened;
  const struct stat *status = &opened;
  cleanup_fd int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return 0;
  if (fd < 0 || fstat(fd, &opened) < 0)
    return fail(f, "open", errno, name);
  if (!S_ISREG(opened.st_mode))
    return fail(f, "walk", ESTALE, name);
  if (status->st_size == 0 && pack_has_mark(fd, "whiteout"))
    return put_whiteout(p, name, f);
  struct tar_output output = output_for(p, '0', status);
  return send_file(p, fd, status, &output, name, f);
}

static int put_symlink(struct pack *p, int parent, const char *name, const struct stat *status, struct failure *f) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
  if (length < 0)
    return fail(f, "readlink", errno, name);
  target[length] = 0;
  struct tar_output output = output_for(p, '2', status);
  output.link_path = target;
  return put(p, &output, f);
}

static int put_node(struct pack *p, const char *name, const struct stat *status, struct failure *f) {
  if (S_ISSOCK(status->st_mode))
    return 0;
  if (S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0))
    return put_whiteout(p, name, f);
  char type = S_ISCHR(status->st_mode) ? '3' : S_ISBLK(status->st_mode) ? '4' : '6';
  struct tar_output output = output_for(p, type, status);
  output.device_major = major(status->st_rdev);
  output.device_minor = minor(status->st_rdev);
  return put(p, &output, f);
}

int pack_leaf(struct pack *p, int parent, const char *name, const struct stat *status, struct failure *f) {
  bool full;
  bool whiteout = S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
  // overlayfs links all of its whiteouts to one inode: no hard links that the image knows of.
  const char *first = whiteout ? NULL : link_table_meet(&p->links, status, bytes_text(&p->path), &full);
  if (!whiteout && !first && full)
    return no_memory(f);
  if (first) {
    struct tar_output output = output_for(p, '1', status);
    output.link_path = first;
    return put(p, &output, f);
  }
  if (S_ISREG(status->st_mode))
    return put_regular(p, parent, name, f);
  if (S_ISLNK(status->st_mode))
    return put_symlink(p, parent, name, status, f);
  return put_node(p, name, status, f);
}

int pack_directory(struct pack *p, int fd, const char *name, struct failure *f) {
  struct stat status;
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, name);
  size_t length = p->path.length;
  // A directory's name ends in a slash in an archive.
  bool top = length == 0;
  if (!bytes_append(&p->path, top ? "./" : "/", top ? 3 : 2))
    return no_memory(f);
  struct tar_output output = output_for(p, '5', &status);
  restore_owner(p, fd, &output);
  int result = add_xattrs(p, fd, name, f) < 0 ? -1 : put(p, &output, f);
  p->path.length = length;
  p->path.data[length] = 0;
  return result;
}

int pack_opaque(struct pack *p, int fd, struct failure *f) {
  struct stat status;
  if (!(p->flags & HAKO_PACK_WHITEOUTS) || !pack_has_mark(fd, "opaque"))
    return 0;
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, "opaque directory");
  if (!walk_path_push(&p->path, ".wh..wh..opq"))
    return no_memory(f);
  struct tar_output output = output_for(p, '0', &status);
  output.mode = 0600;
  int result = put(p, &output, f);
  walk_path_pop(&p->path);
  return result;
}

void pack_free(struct pack *p) {
  tar_writer_free(&p->writer);
  bytes_free(&p->path);
  link_table_free(&p->links);
  tar_sparse_free(&p->sparse);
}
