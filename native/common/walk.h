// SPDX-License-Identifier: Apache-2.0
//
// Walks a tree by descriptors, however deep it is, with one directory open at a
// time. Going up is by "..", believed only when it leads to the very directory
// that was left, so nobody who moves directories about meanwhile can lead the
// walk out of the tree. Symlinks are never followed, and mounts crossed only when
// the visitor wants it.
#ifndef HAKO_WALK_H
#define HAKO_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "failure.h"

// What is at hand when a visitor is called: names are single components in `parent`.
struct walk_visitor {
  // All are given `context`. -1 with a failure stops the walk.

  // Anything but a directory.
  int (*leaf)(void *context, int parent, const char *name, struct failure *f);

  // A directory that was opened as `fd`, before anything in it. 1: what is in it shall not be visited. May be NULL.
  int (*enter)(void *context, int parent, const char *name, int fd, struct failure *f);

  // The same one, after everything in it. May be NULL.
  int (*leave)(void *context, int parent, const char *name, struct failure *f);

  // A directory that can't be opened: 1 to try again, 0 to pass over it, -1 to stop. NULL: stop.
  int (*closed)(void *context, int parent, const char *name, int errnum, struct failure *f);

  // Entries of a directory in byte order of their names, leaves and directories together, instead of as they come.
  bool sorted;

  // Go on into what is mounted in the tree, which somebody outside of it must have chosen.
  bool crosses_mounts;
};

// Visits `name` in `parent` and all below it; a name of "" is `parent` itself, for which enter and leave
// are called with "" as name. A name that isn't there is no failure: nothing is visited.
int walk(int parent, const char *name, const struct walk_visitor *visitor, void *context, struct failure *f);

// One step down: a directory that is `name` itself in `parent` and on the same mount, open for reading; -1 with errno
// (EXDEV: a mount lies there).
int walk_down(int parent, const char *name);

// Which directory it is, whatever its path.
struct walk_identity {
  dev_t device;
  ino_t inode;
};
int walk_identify(int fd, struct walk_identity *identity);

// One step up, to a directory that must be `parent`; -1 with errno (ESTALE: it is another one).
int walk_up(int fd, const struct walk_identity *parent);

#endif
