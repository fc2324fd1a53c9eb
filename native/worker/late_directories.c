// SPDX-License-Identifier: Apache-2.0
#include "late_directories.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "parents.h"

static int no_memory(struct failure *f) {
  return fail(f, "memory", ENOMEM, "list of directories");
}

int late_directories_add(struct late_directories *late, int fd, const char *path, const struct metadata *meta,
                         struct failure *f) {
  struct stat status;
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, path);
  bool known;
  uint64_t *index = key_set_put(&late->by_inode, key_of(status.st_dev, status.st_ino, NULL), late->count, &known);
  if (!index)
    return no_memory(f);
  if (!known) {
    if (late->count == late->size) {
      size_t size = late->size > 0 ? late->size * 2 : 256;
      struct late_directory *list = realloc(late->list, size * sizeof *list);
      if (!list)
        return no_memory(f);
      late->list = list;
      late->size = size;
    }
    late->list[late->count++] = (struct late_directory){0};
  }
  struct late_directory *directory = &late->list[*index];
  // Another path to a known inode: the first directory was removed and its inode given to this one.
  if (!known || strcmp(bytes_text(&late->paths) + directory->path, path) != 0) {
    directory->path = late->paths.length;
    if (!bytes_append(&late->paths, path, strlen(path) + 1))
      return no_memory(f);
  }
  directory->device = status.st_dev;
  directory->inode = status.st_ino;
  directory->mode = meta->mode;
  directory->mtime = meta->mtime;
  return 0;
}

static int finish(const struct late_directory *directory, const char *path, int root, struct failure *f) {
  cleanup_fd int fd = open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  struct stat status;
  if (fd < 0) {
    bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    return gone ? 0 : fail(f, "open", errno, path);
  }
  if (fstat(fd, &status) < 0)
    return fail(f, "stat", errno, path);
  if (status.st_dev != directory->device || status.st_ino != directory->inode)
    return 0;
  if (fchmod(fd, directory->mode) < 0)
    return fail(f, "chmod", errno, path);
  return set_mtime(fd, &directory->mtime, path, f);
}

int late_directories_finish(struct late_directories *late, int root, struct failure *f) {
  for (size_t i = late->count; i > 0; i--) {
    const struct late_directory *directory = &late->list[i - 1];
    if (finish(directory, bytes_text(&late->paths) + directory->path, root, f) < 0)
      return -1;
  }
  return 0;
}

void late_directories_free(struct late_directories *late) {
  free(late->list);
  bytes_free(&late->paths);
  key_set_free(&late->by_inode);
}
