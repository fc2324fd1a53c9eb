// SPDX-License-Identifier: Apache-2.0
//
// hako-supervisor <n> [<text>]: born with the descriptors that protocol.h names,
// n of them from HAKO_FD_EXTRA on; the text only makes room for the title. One for
// each container: the parent of its first process, the owner of its output and of
// its exit record. It starts without a word and speaks only the protocol.
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/syscalls.h"
#include "../protocol.h"
#include "output.h"
#include "reaper.h"
#include "signals.h"
#include "supervisor.h"
#include "title.h"

#define MOST_EXTRA_FDS 64

struct supervisor supervisor = {.task = TASK_EMPTY};

// The embedder's other descriptors are none of a container's business.
static int keep_own_fds(const char *argument) {
  char *end;
  long extra = strtol(argument, &end, 10);
  if (*end != '\0' || extra < 0 || extra > MOST_EXTRA_FDS) {
    errno = EINVAL;
    return -1;
  }
  supervisor.extra_fds = (uint32_t)extra;
  for (int fd = HAKO_FD_OWNER; fd < HAKO_FD_EXTRA + extra; fd++) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
      return -1;
  }
  return sys_close_range((unsigned)(HAKO_FD_EXTRA + extra), ~0u, 0);
}

static int come_alive(const char *extra_fds) {
  if (keep_own_fds(extra_fds) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir("/") < 0)
    return -1;
  setsid(); // fails when the embedder did it already
  prctl(PR_SET_NAME, "hako-supervisor");
  umask(027); // log files are 0640
  reaper_init(supervisor_reaped);
  if (loop_init() < 0 || signals_init(supervisor_terminate) < 0 || output_init() < 0)
    return -1;
  return supervisor_own(HAKO_FD_OWNER);
}

static void idle(void) {
  output_trim();
  if (supervisor.sink)
    sink_trim(supervisor.sink);
}

int main(int argc, char **argv) {
  int status;
  if (argc < 2 || come_alive(argv[1]) < 0)
    return 1;
  title_init(argv);
  while (!supervisor_is_over(&status)) {
    loop_turn(idle);
    sessions_sweep();
  }
  if (supervisor.sink)
    sink_close(supervisor.sink, false);
  return status;
}
