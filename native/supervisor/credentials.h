// SPDX-License-Identifier: Apache-2.0
//
// Groups, ids and the five capability sets, given up in the one order that works.
#ifndef HAKO_CREDENTIALS_H
#define HAKO_CREDENTIALS_H

#include "user.h"

// `keep`: capabilities to hold on to until execve besides those asked for (a
// filter without no_new_privs is installed with CAP_SYS_ADMIN). They are not
// carried over: execve computes the new sets from bounding, inheritable and
// ambient alone.
int credentials_apply(const struct identity *identity, const struct process_request *process, uint64_t keep,
                      struct failure *failure);

// In a new or entered user namespace a process is nobody until it says that it is root.
int credentials_become_root(struct failure *failure);

#endif
