// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "job.h"
#include "run.h"

// Two paths at most.
#define ANSWER_SIZE (3 * PATH_MAX)

// The payload of the one request, to be freed; NULL with a failure.
static void *read_request(uint8_t *type, size_t *length, struct failure *f) {
  uint8_t header[WIRE_HEADER];
  if (read_all(HAKO_WORKER_FD_SOCKET, header, sizeof header) != (ssize_t)sizeof header) {
    fail(f, "protocol", 0, "no request came");
    return NULL;
  }
  *length = wire_frame_length(header);
  *type = wire_frame_type(header);
  if (*length > HAKO_WORKER_MAX_REQUEST) {
    fail(f, "protocol", 0, "the request is too large");
    return NULL;
  }
  uint8_t *payload = malloc(*length > 0 ? *length : 1);
  if (!payload) {
    fail(f, "memory", ENOMEM, "request");
  } else if (read_all(HAKO_WORKER_FD_SOCKET, payload, *length) != (ssize_t)*length) {
    fail(f, "protocol", 0, "the request ends too early");
    free(payload);
    payload = NULL;
  }
  return payload;
}

static int serve(struct wire_writer *answer, struct failure *f) {
  static struct job job; // too large for a stack
  uint8_t type;
  size_t length;
  uint8_t *payload = read_request(&type, &length, f);
  if (!payload)
    return -1;
  int result = job_decode(type, payload, length, &job, f);
  if (result == 0)
    result = run_job(&job, answer, f);
  job_free(&job);
  free(payload);
  return result;
}

int worker_run(void) {
  uint8_t buffer[ANSWER_SIZE];
  struct failure f = {0};
  // A reader of PACK's archive that goes away is an EPIPE, not our end.
  signal(SIGPIPE, SIG_IGN);
  sys_close_range(HAKO_WORKER_FD_USER_NAMESPACE + 1, ~0u, 0);
  struct wire_writer answer = wire_begin(buffer, sizeof buffer, HAKO_WORKER_DONE);
  if (serve(&answer, &f) < 0) {
    answer = wire_begin(buffer, sizeof buffer, HAKO_WORKER_FAILED);
    wire_put_str(&answer, f.operation);
    wire_put_i32(&answer, f.errnum);
    wire_put_str(&answer, f.detail);
  }
  size_t length = wire_end(&answer);
  return length > 0 && write_all(HAKO_WORKER_FD_SOCKET, buffer, length) == 0 ? 0 : 1;
}
