// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_STREAMS_H
#define HAKO_STREAMS_H

#include "program.h"
#include "user.h"

// Makes 0, 1 and 2 of the program, pipes or a pty, and hands the other ends to
// the supervisor. They are made on this side so that they belong to a user of
// the container: whoever it runs as can open /dev/stdout again.
int streams_open(struct program *program, const struct identity *identity);

#endif
