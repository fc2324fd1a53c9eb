// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_INIT_H
#define HAKO_INIT_H

#include "program.h"
#include "user.h"

// HAKO_PROCESS_INIT: makes the process that becomes the program and gives 0 in
// it. The caller itself, pid 1, never comes back: with the program's own user and
// capabilities it passes on signals, reaps what is orphaned and ends as the
// program ends (128 + signal).
int init_split(struct program *program, const struct identity *identity);

#endif
