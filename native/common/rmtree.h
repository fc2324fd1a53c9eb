// SPDX-License-Identifier: Apache-2.0
//
// Removes a tree, race-free and to any depth. Needs no privilege over what the
// caller owns; a directory that its owner may not read is made readable first.
#ifndef HAKO_RMTREE_H
#define HAKO_RMTREE_H

#include "failure.h"

// Removes `name` in the directory `parent` and all below it; not being there is success.
//
// Does what it can: past the first thing that can't be removed it goes on, and gives -1 with that first failure in the
// end. Operations: "unlink", "rmdir", "chmod", "immutable" (a file or its directory has chattr(1)'s i or a flag),
// "mount" (something is mounted below: nothing beyond it is touched), "walk".
int rmtree(int parent, const char *name, struct failure *f);

#endif
