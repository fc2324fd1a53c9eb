// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_EXECUTE_H
#define HAKO_EXECUTE_H

#include "request.h"

// execve of argv[0], looked up in env's PATH when it has no slash. Comes back
// with the failure. A script without "#!" is an error, as it is for Docker.
void execute(const struct process_request *process, struct failure *failure);

#endif
