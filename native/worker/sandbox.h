// SPDX-License-Identifier: Apache-2.0
//
// What a worker locks itself into before it looks at the first hostile byte.
// Every name it uses is already confined by openat2(2); this is for the case
// that the code which does so is wrong.
#ifndef HAKO_SANDBOX_H
#define HAKO_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"
#include "../common/idmap.h"

// Enters a user namespace with the given maps (none: stays) and a mount namespace in which the directory `base` is all
// there is, without devices, set-id or execution; `recursive`: with what is mounted in it. Gives that directory, now "/",
// as O_PATH; `base` is closed.
int sandbox_enter(int base, const struct idmap *idmap, bool recursive, struct failure *f);

// The same in steps, for a tree that is put together first. Enters the namespaces, in which the host's mounts still
// are; the working directory is `base`.
int sandbox_unshare(int base, const struct idmap *idmap, struct failure *f);

// Lays a detached mount over the working directory, and goes there.
int sandbox_cover(int tree, struct failure *f);

// Makes a mount and what is mounted in it all there is. Gives it as O_PATH.
int sandbox_confine(int tree, struct failure *f);

// Enters a copy of a container's mount namespace, as root of its user namespace (-1: it has none of its own), in which
// its root is all there is; `recursive`: with what is mounted in it. The descriptors are closed.
int sandbox_join(int mounts, int user, bool recursive, struct failure *f);

// For good: gives up every capability, for a job that has entered another namespace and works on no files.
int sandbox_drop_capabilities(struct failure *f);

// For good: gives up every capability but `capabilities` (bits as in capabilities(7)) and all system calls that work on
// file trees have no need of.
int sandbox_lock(uint64_t capabilities, struct failure *f);

#endif
