// SPDX-License-Identifier: Apache-2.0
//
// Puts the root of a container that does not run together, from what the host
// has for it, as the supervisor would.
#ifndef HAKO_ASSEMBLE_H
#define HAKO_ASSEMBLE_H

#include "job.h"

// Enters the sandbox of HAKO_TREE_MOUNTS, and gives its root as O_PATH; `base` is closed.
int assemble(int base, const struct job *job, struct failure *f);

#endif
