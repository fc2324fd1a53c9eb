// SPDX-License-Identifier: Apache-2.0
#include "reaper.h"

#include <sys/wait.h>

static reaped_fn *tell;

void reaper_init(reaped_fn *reaped) {
  tell = reaped;
}

void reap_children(void) {
  for (;;) {
    siginfo_t ended = {0};
    // __WALL: a child cloned without an exit signal counts too.
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | __WALL) < 0 || ended.si_pid == 0)
      return;
    if (ended.si_code == CLD_EXITED)
      tell(ended.si_pid, ended.si_status & 0xff, 0);
    else
      tell(ended.si_pid, 128 + ended.si_status, ended.si_status);
  }
}
