// SPDX-License-Identifier: Apache-2.0
//
// A container with a single id has no other to give files to, or to become. Its
// calls that name others come here (seccomp_unotify(2)) and are answered as if
// they had been done, as fakeroot does: files stay whose they are; a process
// that has changed its ids is told so by the calls that ask. No rights hang on
// it: to the kernel all of them are one user.
#ifndef HAKO_ID_EMULATION_H
#define HAKO_ID_EMULATION_H

#include "../common/failure.h"
#include "id_table.h"

// Answers the calls of one tree of processes until its last has ended. Takes
// the descriptor over, also on a failure: -1 with errno.
int id_emulation_serve(int listener, const struct credentials *initial);

#endif
