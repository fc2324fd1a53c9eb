// SPDX-License-Identifier: Apache-2.0
//
// Between HAKO_PREPARED and HAKO_GO: a container that is there but for its program.
#include "prepared.h"

#include <errno.h>
#include <stdlib.h>

#include "../common/fd.h"
#include "../protocol.h"
#include "answers.h"
#include "handshake.h"
#include "start.h"
#include "supervisor.h"

static struct {
  struct session *owner;
  struct start_request request; // its strings lie in `payload`
  uint8_t *payload;
  struct handshake handshake;
} prepared;

static void forget(void) {
  arena_free(&prepared.request.arena);
  free(prepared.payload);
  prepared.payload = NULL;
  prepared.owner = NULL;
}

void prepared_keep(struct session *owner, const struct start_request *request, uint8_t *payload,
                   const struct handshake *handshake) {
  prepared.owner = owner;
  prepared.request = *request;
  prepared.payload = payload;
  prepared.handshake = *handshake;
  supervisor.phase = PHASE_PREPARED;
  answer_prepared(owner);
}

static void fail_with(const struct failure *failure) {
  struct session *owner = prepared.owner;
  start_undo();
  forget();
  start_failed(owner, failure);
}

static void abandon(const struct failure *failure) {
  container_undo(&supervisor.container, &prepared.handshake);
  fail_with(failure);
}

// What an embedder that has nothing for stdin would have asked for at once.
static void go_without_stdin(void) {
  prepared.request.flags &= ~HAKO_START_STDIN;
  prepared.request.attach &= ~HAKO_ATTACH_STDIN;
  close_fd(&supervisor.container.init.stdin_w);
}

void prepared_go(struct session *session, const void *payload, uint32_t length) {
  struct failure failure;
  const struct go_request *go = request_decode_go(&prepared.handshake.told, payload, length, &failure);
  if (!go) {
    abandon(&failure);
    return;
  }
  bool with_stdin = go->flags & HAKO_GO_STDIN; // which lies in what container_go gives back
  if (container_go(&supervisor.container, &prepared.handshake, go, &failure) < 0) {
    fail_with(&failure);
    return;
  }
  if (!with_stdin)
    go_without_stdin();
  if (start_run(session, &prepared.request, &failure) < 0)
    fail_with(&failure);
  else
    forget();
}

bool prepared_reaped(pid_t pid, int signal) {
  if (supervisor.phase != PHASE_PREPARED || pid != supervisor.container.init.pid)
    return false;
  struct failure failure;
  prepared.handshake.reaped = true;
  prepared.handshake.signal = signal;
  // Of one with an init in another's pid namespace the program's process can be left.
  if (handshake_advance(&prepared.handshake, &supervisor.container.init, &failure) >= 0)
    fail(&failure, "child", 0, "the container's init ended before there was a program to run");
  abandon(&failure);
  return true;
}

void prepared_terminate(void) {
  struct failure failure;
  fail(&failure, "child", EINTR, "the supervisor was told to end before there was a program to run");
  abandon(&failure);
}

void prepared_left(const struct session *session) {
  if (session != prepared.owner)
    return;
  container_undo(&supervisor.container, &prepared.handshake);
  start_undo();
  forget();
  supervisor_end(1);
}
