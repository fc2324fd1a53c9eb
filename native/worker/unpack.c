// SPDX-License-Identifier: Apache-2.0
#include "unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "entry_name.h"
#include "kernel_filesystem.h"
#include "unpack_state.h"

bool unpack_key(struct unpack *u, int parent, const char *name, uint64_t *key) {
  struct stat status;
  if (fstat(parent, &status) < 0) {
    fail(u->f, "stat", errno, "directory of ", name);
    return false;
  }
  *key = key_of(status.st_dev, status.st_ino, name);
  return true;
}

static int directory_made(void *context, int parent, const char *name, int fd, struct failure *f) {
  struct unpack *u = context;
  (void)f;
  return unpack_note_made(u, parent, name) < 0 ? -1 : unpack_note_directory(u, parent, name, fd);
}

static int make(struct unpack *u, const struct place *place, const struct tar_entry *entry) {
  switch (entry->type) {
  case TAR_FILE:
    return unpack_file(u, place, entry);
  case TAR_DIRECTORY:
    return unpack_directory(u, place, entry);
  case TAR_SYMLINK:
    return unpack_symlink(u, place, entry);
  case TAR_HARDLINK:
    return unpack_hardlink(u, place, entry);
  default:
    return unpack_node(u, place, entry);
  }
}

const char *unpack_name(const struct unpack *u, const char *raw, struct bytes *name, uint32_t *depth) {
  const char *wrong = entry_name_clean(raw, name, depth);
  return wrong || *u->options->at == 0 ? wrong : entry_name_below(name, u->options->at);
}

static int apply(struct unpack *u, const struct tar_entry *entry) {
  uint32_t depth;
  size_t parent_length;
  const char *wrong = unpack_name(u, entry->path, &u->name, &depth);
  if (wrong)
    return tar_complain(u->f, TAR_MALFORMED, entry->offset, wrong);
  if (depth > u->options->limits.path_depth)
    return tar_complain(u->f, TAR_OVER_LIMIT, entry->offset, "a name with too many components");
  if (depth == 0)
    return u->options->keep_root ? 0 : unpack_root(u, entry);
  struct place place = {.path = (const char *)u->name.data};
  if (unpack_is_aufs_meta(u, place.path))
    return 0;
  place.base = entry_name_base(&u->name, &parent_length);
  place.parent = parents_open(&u->parents, place.path, parent_length, u->f);
  if (place.parent < 0)
    return -1;
  if (is_kernel_filesystem(place.parent))
    return fail(u->f, "kernel-fs", EOPNOTSUPP, place.path);
  int whiteout = unpack_whiteout(u, &place);
  if (whiteout != 0)
    return whiteout < 0 ? -1 : 0;
  return make(u, &place, entry) < 0 ? -1 : unpack_note_made(u, place.parent, place.base);
}

static int apply_all(struct unpack *u) {
  struct tar_entry entry;
  int more;
  while ((more = tar_next(&u->reader, &entry, u->f)) > 0) {
    if (apply(u, &entry) < 0)
      return -1;
    u->result->entries++;
  }
  return more < 0 ? -1 : late_directories_finish(&u->late, u->parents.root, u->f);
}

int unpack(int root, tar_read_fn read, void *context, const struct unpack_options *options,
           struct unpack_result *result, struct failure *f) {
  struct unpack u = {.options = options, .result = result, .f = f};
  u.parents = (struct parents){
      .root = root,
      .fd = -1,
      .made = directory_made,
      .obstacle = unpack_yield_whiteout,
      .context = &u,
  };
  *result = (struct unpack_result){0};
  // Modes are set as given, not as the caller's environment would have them.
  mode_t mask = umask(0);
  int done = tar_reader_init(&u.reader, read, context, &options->limits)
                 ? apply_all(&u)
                 : fail(f, "memory", ENOMEM, "unpack");
  umask(mask);
  result->bytes_read = u.reader.source.offset;
  tar_reader_free(&u.reader);
  parents_free(&u.parents);
  late_directories_free(&u.late);
  bytes_free(&u.name);
  bytes_free(&u.link);
  key_set_free(&u.ours);
  key_set_free(&u.emptied);
  key_set_free(&u.deleted);
  return done;
}
