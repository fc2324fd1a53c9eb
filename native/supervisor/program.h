// SPDX-License-Identifier: Apache-2.0
//
// The last stretch of a process's way from the supervisor's code to the
// container's program, the same for START and for EXEC.
#ifndef HAKO_PROGRAM_H
#define HAKO_PROGRAM_H

#include "console.h"
#include "handshake.h"

struct program {
  const struct process_request *process;
  const struct handshake *handshake;
  struct failure *failure;
  int root; // the container's root, now "/"
  int proc;    // the host's procfs; -1: not in here
  int profile; // then, with an AppArmor profile: see confinement_open_profile
  int null; // what stdin is without one: see setup_open_null
  bool null_is_new; // and the supervisor has to get it, for execs
  struct pty pty;
  bool with_stdin;
  bool waits; // to be told what to run, see HAKO_START_WAIT
  pid_t init; // with HAKO_PROCESS_INIT: the process above; else 0
};

// Becomes the program; comes back only with a failure.
void program_run(struct program *program);

#endif
