// SPDX-License-Identifier: Apache-2.0
//
// Opens the trees that a job is about, below the base directory.
#ifndef HAKO_TREE_H
#define HAKO_TREE_H

#include "job.h"

// The tree's root, open as O_PATH | O_DIRECTORY; an overlay is mounted first, and is gone with its last descriptor.
int tree_open(int base, const struct tree_spec *tree, struct failure *f);

// A detached overlay, whose directories are as seen from the working directory.
int tree_mount_overlay(const struct overlay_spec *overlay, struct failure *f);

// The directory that holds the last component of one of hako's own paths, and that component.
int tree_open_parent(int base, const char *path, const char **name, struct failure *f);

#endif
