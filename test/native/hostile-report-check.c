// SPDX-License-Identifier: Apache-2.0
//
// What a container's first process shares with its supervisor, written over by
// whoever may trace that process. Built with sanitizers: whatever is read beyond
// its end ends this program.
#include <stdio.h>
#include <string.h>

#include "handshake.h"
#include "../common/fd.h"

static int told(struct process *out, struct failure *failure, bool failed) {
  struct handshake h;
  if (handshake_open(&h, failure) < 0)
    return 1;
  memset(h.report->groups, 0xff, sizeof h.report->groups);
  h.report->group_count = UINT32_MAX;
  h.report->executing = true;
  if (failed)
    memset(&h.report->failure, 'x', sizeof h.report->failure);
  int fds[] = {0, 1};
  handshake_send_fds(&h, fds, 2);
  close_fd(&h.child);
  int result = handshake_advance(&h, out, failure);
  handshake_close(&h);
  return result;
}

int main(void) {
  static struct process out;
  static struct failure failure;
  int failed = told(&out, &failure, true);
  printf("%d %zu %zu\n", failed, strlen(failure.operation), strlen(failure.detail));
  int succeeded = told(&out, &failure, false);
  printf("%d %u\n", succeeded, out.group_count);
  return 0;
}
