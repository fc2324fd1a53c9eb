// SPDX-License-Identifier: Apache-2.0
//
// Making the entries themselves. Every call here works on one component in an
// open directory and follows nothing.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/rmtree.h"
#include "entry_name.h"
#include "unpack_state.h"
#include "xattrs.h"

static struct metadata metadata_of(const struct unpack *u, const struct tar_entry *entry) {
  const struct unpack_options *options = u->options;
  return (struct metadata){
      .mode = options->plain ? entry->mode & ~(uint32_t)(S_ISUID | S_ISGID) : entry->mode,
      .uid = options->has_owner ? options->uid : entry->uid,
      .gid = options->has_owner ? options->gid : entry->gid,
      .mtime = {.tv_sec = (time_t)entry->mtime, .tv_nsec = (long)entry->mtime_nanoseconds},
  };
}

static int wrong_kind(struct unpack *u, const struct place *place, int errnum) {
  fail(u->f, "kind", errnum, place->path);
  errno = 0;
  return -1;
}

int unpack_clear(struct unpack *u, const struct place *place) {
  struct stat status;
  if (u->options->keep_kinds && fstatat(place->parent, place->base, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(status.st_mode))
    return wrong_kind(u, place, EISDIR);
  parents_forget(&u->parents);
  if (rmtree(place->parent, place->base, u->f) == 0)
    return 0;
  errno = 0;
  return -1;
}

// Runs a call that makes a name; when the name is taken, clears it and runs it once more.
#define MAKE_IN_PLACE(u, place, call)                            \
  __extension__({                                                \
    __typeof__(call) made_ = (call);                             \
    if (made_ < 0 && errno == EEXIST) {                          \
      made_ = unpack_clear((u), (place)) < 0 ? -1 : (call);      \
    }                                                            \
    made_;                                                       \
  })

static int make_failed(struct unpack *u, const char *operation, const struct place *place) {
  // 0: unpack_clear has failed, and said why.
  return errno == 0 ? -1 : fail(u->f, operation, errno, place->path);
}

static int set_xattrs(struct unpack *u, int fd, const struct tar_entry *entry) {
  struct tar_xattr xattr;
  for (size_t at = 0; tar_xattr_next(entry->xattrs, &at, &xattr);) {
    bool allowed = xattr_is_allowed(xattr.name) &&
                   !(u->options->plain && strcmp(xattr.name, "security.capability") == 0);
    int set = allowed ? set_xattr(fd, xattr.name, xattr.value, xattr.length, u->f) : 0;
    if (set < 0)
      return -1;
    u->result->xattrs_dropped += set == 0;
  }
  return 0;
}

// ── files ──

static bool is_zero(const unsigned char *data, size_t length) {
  return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

static int write_at(struct unpack *u, int fd, const struct tar_chunk *chunk, const struct place *place) {
  for (size_t done = 0; done < chunk->length;) {
    ssize_t written = RETRY(pwrite(fd, chunk->data + done, chunk->length - done, (off_t)(chunk->offset + done)));
    if (written < 0)
      return fail(u->f, "write", errno, place->path);
    done += (size_t)written;
  }
  u->result->bytes_written += chunk->length;
  return 0;
}

// A chunk of nothing but zeros becomes a hole: padding and bombs then cost no disk.
static int write_content(struct unpack *u, int fd, const struct place *place, uint64_t size) {
  struct tar_chunk chunk;
  uint64_t end = 0; // of what was written, which is the file's size so far
  int more;
  while ((more = tar_data(&u->reader, &chunk, u->f)) > 0) {
    if (is_zero(chunk.data, chunk.length))
      continue;
    if (write_at(u, fd, &chunk, place) < 0)
      return -1;
    end = chunk.offset + chunk.length;
  }
  if (more < 0)
    return -1;
  if (end < size && ftruncate(fd, (off_t)size) < 0)
    return fail(u->f, "truncate", errno, place->path);
  return 0;
}

static int fill(struct unpack *u, int fd, const struct place *place, const struct tar_entry *entry) {
  const struct metadata meta = metadata_of(u, entry);
  if (write_content(u, fd, place, entry->size) < 0 ||
      set_owner(fd, &meta, u->options->ownership, place->path, u->f) < 0 || set_xattrs(u, fd, entry) < 0)
    return -1;
  if (fchmod(fd, meta.mode) < 0)
    return fail(u->f, "chmod", errno, place->path);
  return set_mtime(fd, &meta.mtime, place->path, u->f);
}

#define MAKE_FILE (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

static int write_in_place(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  cleanup_fd int fd = MAKE_IN_PLACE(u, place, openat(place->parent, place->base, MAKE_FILE, 0600));
  if (fd < 0)
    return make_failed(u, "create", place);
  if (fill(u, fd, place, entry) == 0)
    return 0;
  // Half a file is worse than none, to whoever finds it.
  unlinkat(place->parent, place->base, 0);
  return -1;
}

// What was there goes when the file is whole, but for a directory, which rename(2) lets no file replace.
static int write_aside(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  const char *aside = u->options->temporary;
  struct stat status;
  bool taken = fstatat(place->parent, place->base, &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (taken && S_ISDIR(status.st_mode) && unpack_clear(u, place) < 0)
    return -1;
  cleanup_fd int fd = openat(place->parent, aside, MAKE_FILE, 0600);
  if (fd < 0)
    return fail(u->f, "create", errno, place->path);
  if (fill(u, fd, place, entry) == 0) {
    if (renameat(place->parent, aside, place->parent, place->base) == 0) {
      // It may have been a symlink on the way to what comes next.
      if (taken)
        parents_forget(&u->parents);
      return 0;
    }
    fail(u->f, "rename", errno, place->path);
  }
  unlinkat(place->parent, aside, 0);
  return -1;
}

int unpack_file(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  return *u->options->temporary ? write_aside(u, place, entry) : write_in_place(u, place, entry);
}

// ── directories ──

static int set_directory(struct unpack *u, int fd, const char *path, const struct tar_entry *entry) {
  const struct metadata meta = metadata_of(u, entry);
  if (set_owner(fd, &meta, u->options->ownership, path, u->f) < 0 || set_xattrs(u, fd, entry) < 0)
    return -1;
  return late_directories_add(&u->late, fd, path, &meta, u->f);
}

static int open_directory(const struct place *place) {
  return openat(place->parent, place->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int unpack_directory(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  // 0700 until the end, when late_directories gives it its own mode.
  bool made = mkdirat(place->parent, place->base, 0700) == 0;
  if (!made && errno != EEXIST)
    return fail(u->f, "mkdir", errno, place->path);
  cleanup_fd int fd = open_directory(place);
  if (fd < 0 && !made && (errno == ENOTDIR || errno == ELOOP)) {
    if (u->options->keep_kinds)
      return wrong_kind(u, place, ENOTDIR);
    if (unpack_clear(u, place) < 0)
      return -1;
    made = mkdirat(place->parent, place->base, 0700) == 0;
    if (!made)
      return fail(u->f, "mkdir", errno, place->path);
    fd = open_directory(place);
  }
  if (fd < 0)
    return fail(u->f, "open", errno, place->path);
  if (made && unpack_note_directory(u, place->parent, place->base, fd) < 0)
    return -1;
  return set_directory(u, fd, place->path, entry);
}

int unpack_root(struct unpack *u, const struct tar_entry *entry) {
  if (entry->type != TAR_DIRECTORY)
    return tar_complain(u->f, TAR_MALFORMED, entry->offset, "the root of the tree is not a directory");
  cleanup_fd int fd = open_in_root(u->parents.root, u->options->at, O_RDONLY | O_DIRECTORY, 0);
  return fd < 0 ? fail(u->f, "open", errno, "root of the tree") : set_directory(u, fd, u->options->at, entry);
}

// ── links and nodes ──

int unpack_symlink(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  const struct metadata meta = metadata_of(u, entry);
  size_t length = strlen(entry->link_path);
  if (length == 0 || length >= PATH_MAX)
    return tar_complain(u->f, TAR_MALFORMED, entry->offset, "a symlink's target is empty or over 4,095 bytes");
  if (MAKE_IN_PLACE(u, place, symlinkat(entry->link_path, place->parent, place->base)) < 0)
    return make_failed(u, "symlink", place);
  return set_unopened(place->parent, place->base, true, &meta, u->options->ownership, u->f);
}

static bool same_file(int left, const char *left_name, int right, const char *right_name) {
  struct stat a;
  struct stat b;
  return fstatat(left, left_name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstatat(right, right_name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Owner, mode and attributes are the target's and stay so: an entry's own would be set through the link on a file that
// it only names.
int unpack_hardlink(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  uint32_t depth;
  size_t parent_length;
  const char *wrong = unpack_name(u, entry->link_path, &u->link, &depth);
  if (wrong)
    return fail(u->f, TAR_MALFORMED, 0, "hard link ", place->path, ": ", wrong);
  const char *base = entry_name_base(&u->link, &parent_length);
  cleanup_fd int target = parents_find(&u->parents, bytes_text(&u->link), parent_length);
  if (target < 0 || *base == 0)
    return fail(u->f, TAR_MALFORMED, 0, "hard link ", place->path, " to a name that is not there: ", entry->link_path);
  // A link to itself, or made twice: clearing the place would take the target away.
  if (same_file(target, base, place->parent, place->base))
    return 0;
  if (MAKE_IN_PLACE(u, place, linkat(target, base, place->parent, place->base, 0)) == 0)
    return 0;
  if (errno == ENOENT || errno == EPERM)
    return fail(u->f, TAR_MALFORMED, 0, "hard link ", place->path,
                " to what is not there or can't be linked to: ", entry->link_path);
  return make_failed(u, "link", place);
}

int unpack_node(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  const struct metadata meta = metadata_of(u, entry);
  dev_t device = makedev(entry->device_major, entry->device_minor);
  // Character device 0:0 is overlayfs's whiteout: from an archive it would be a deletion in disguise.
  bool forged = entry->type == TAR_CHARACTER && device == makedev(0, 0);
  mode_t type = entry->type == TAR_FIFO ? S_IFIFO : entry->type == TAR_BLOCK ? S_IFBLK : S_IFCHR;
  if (forged || (u->options->plain && type != S_IFIFO)) {
    u->result->devices_skipped++;
    return 0;
  }
  if (MAKE_IN_PLACE(u, place, mknodat(place->parent, place->base, type | meta.mode, device)) < 0) {
    bool skip = errno == EPERM && type != S_IFIFO && u->options->devices_optional;
    u->result->devices_skipped += skip;
    return skip ? 0 : make_failed(u, "mknod", place);
  }
  return set_unopened(place->parent, place->base, false, &meta, u->options->ownership, u->f);
}
