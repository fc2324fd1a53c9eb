// SPDX-License-Identifier: Apache-2.0
//
// Finds, and where needed makes, the directory that an entry lies in.
//
// A symlink on the way is followed as the container will follow it: inside the
// tree, whose root is "/" and has no parent. That is what image builders mean by
// "bin/tool" on a tree where bin is a link to usr/bin, and the kernel does the
// confining (openat2(2), RESOLVE_IN_ROOT), not a comparison of strings. The last
// component of a name is never followed by anyone.
#ifndef HAKO_PARENTS_H
#define HAKO_PARENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"
#include "bytes.h"

struct parents {
  int root;   // not ours
  int fd;     // of the directory found last, or -1
  bool stale; // something was removed since, so the path may lead elsewhere now
  struct bytes path; // by which it was found

  // Called for a directory that had to be made because the archive has none for it.
  int (*made)(void *context, int parent, const char *name, int fd, struct failure *f);
  // Called where a component is neither directory nor symlink; true when it was taken away.
  bool (*obstacle)(void *context, int parent, const char *name);
  void *context;
};

// The directory of the first `length` bytes of a clean name, open as O_PATH, until the next call; or -1.
int parents_open(struct parents *parents, const char *path, size_t length, struct failure *f);

// The same, but nothing is made: -1 with errno.
int parents_find(const struct parents *parents, const char *path, size_t length);

// To be called whenever something was removed from the tree.
static inline void parents_forget(struct parents *parents) {
  parents->stale = true;
}

void parents_free(struct parents *parents);

// Opens a path of the tree in its scope. -1 with errno.
int open_in_root(int root, const char *path, uint64_t flags, uint64_t more_resolve);

#endif
