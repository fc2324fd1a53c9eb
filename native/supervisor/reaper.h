// SPDX-License-Identifier: Apache-2.0
//
// The one place that waits for children: the tasks' processes, and the orphans
// that a subreaper inherits.
#ifndef HAKO_REAPER_H
#define HAKO_REAPER_H

#include <sys/types.h>

// `code` is 0–255, 128 + signal when a signal ended it, which is `signal`.
typedef void reaped_fn(pid_t pid, int code, int signal);

void reaper_init(reaped_fn *reaped);

// Reaps all that have ended.
void reap_children(void);

#endif
