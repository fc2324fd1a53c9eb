// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_CONFINEMENT_H
#define HAKO_CONFINEMENT_H

#include "program.h"

// AppArmor profile, no_new_privs, seccomp filter: in this order, last of all.
int confinement_apply(const struct program *program);

// Where a process ("self", or its number) writes its next profile; only it may write
// there, whoever has opened it. -1 with errno.
int confinement_open_profile(int proc, const char *process);

#endif
