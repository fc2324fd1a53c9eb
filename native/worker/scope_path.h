// SPDX-License-Identifier: Apache-2.0
//
// Where a path leads inside a tree, as text: for people, and for a later call
// that looks at it anew. It confines nothing by itself.
#ifndef HAKO_SCOPE_PATH_H
#define HAKO_SCOPE_PATH_H

#include <limits.h>
#include <stdbool.h>

// The path with every symlink resolved as in a root of one's own; from the first component that isn't there on, as it
// is written. The last component is followed when asked for. -1 with errno.
int scope_path(int root, const char *path, bool follow_last, char resolved[PATH_MAX]);

#endif
