// SPDX-License-Identifier: Apache-2.0
//
// The one way to a path inside a container's root. Whatever the image's links
// say, and whoever swaps one meanwhile, what comes back lies in the root: the
// kernel resolves (openat2, RESOLVE_IN_ROOT), never through a magic link, and
// callers go on with the descriptor, not with the path.
#ifndef HAKO_ROOT_H
#define HAKO_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../common/failure.h"

// openat2 with O_CLOEXEC; -1 with errno.
int root_open(int root, const char *path, uint64_t flags);

// O_PATH of what is at the path; made, with its parents, when it isn't there:
// as an empty file or as a directory of that mode, by `mode`'s S_IF*.
// A link that leads nowhere yet is followed inside the root. -1 with errno.
int root_make(int root, const char *path, mode_t mode);

// O_PATH of the directory that holds the last component, made when absent;
// `name` gets that component. -1 with errno.
int root_make_parent(int root, const char *path, const char **name);

// O_PATH of a mount's target. `flags`: HAKO_TARGET_*; with both FILE and DIR an
// absent target is made of the kind that `source` (S_IF*) is. Fails with
// `operation` otherwise.
int root_target(int root, const char *path, uint32_t flags, mode_t source, const char *operation,
                struct failure *failure);

#endif
