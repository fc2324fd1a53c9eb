// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <string.h>
#include <sys/wait.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "../protocol.h"
#include "answers.h"
#include "control_socket.h"
#include "exit_record.h"
#include "handshake.h"
#include "id_emulation.h"
#include "journal.h"
#include "prepared.h"
#include "start.h"
#include "supervisor.h"
#include "title.h"

#define SINK_RETRY_NS (JOURNAL_RETRY_MS * 1000000ll)

static void tell_rotation(struct session *session) {
  uint8_t frame[WIRE_HEADER];
  wire_put_header(frame, 0, HAKO_LOG_ROTATED);
  if (session->holds)
    session_send_frame(session, frame, sizeof frame);
}

void supervisor_wait_for_sink(void) {
  if (sink_is_blocked(supervisor.sink))
    loop_set_timer(&supervisor.task.sink_wait, SINK_RETRY_NS);
}

static void sink_wait_expired(struct timer *timer) {
  (void)timer;
  sink_retry(supervisor.sink);
  supervisor_wait_for_sink();
  task_resume(&supervisor.task);
}

static void logged(struct task *task) {
  if (sink_take_rotated(task->sink))
    sessions_each(tell_rotation);
  supervisor_wait_for_sink();
}

// A process that nobody can watch must not run.
static void abort_container(struct container *container) {
  siginfo_t ended;
  task_close(&supervisor.task);
  kill(container->init.pid, SIGKILL);
  RETRY(waitid(P_PID, (id_t)container->init.pid, &ended, WEXITED | __WALL));
  container_cleanup(container);
}

// Making files takes as long as making namespaces, so the one goes on beside the
// other. Who is told of the start finds them there.
static int prepare_state(const struct start_request *request, struct failure *failure) {
  supervisor.sink = sink_open(&request->sink, HAKO_FD_STATE, failure);
  if (!supervisor.sink)
    return -1;
  if (exit_record_prepare(HAKO_FD_STATE) < 0)
    return fail(failure, "exit-record", errno, "prepare " HAKO_EXIT_RECORD);
  if (control_socket_open(HAKO_FD_STATE, supervisor_connected) < 0)
    return fail(failure, "control-socket", errno, "bind " HAKO_CONTROL_SOCKET);
  return 0;
}

// Whoever finds the lock free knows that nobody has the container: a pid alone may
// be another's by now, or be counted in another namespace.
static int claim(struct failure *failure) {
  if (RETRY(flock(HAKO_FD_STATE, LOCK_EX | LOCK_NB)) < 0)
    return fail(failure, "state", errno, "another supervisor has this container");
  return 0;
}

int supervisor_emulate_ids(struct process *process) {
  if (process->listener < 0)
    return 0;
  struct credentials initial = {.uid = {process->uid, process->uid, process->uid, process->uid},
                                .gid = {process->gid, process->gid, process->gid, process->gid},
                                .group_count = process->group_count};
  memcpy(initial.groups, process->groups, sizeof initial.groups);
  return id_emulation_serve(steal_fd(&process->listener), &initial);
}

static int watch(const struct start_request *request, struct failure *failure) {
  if (supervisor_emulate_ids(&supervisor.container.init) < 0 ||
      task_watch(&supervisor.task, &supervisor.container.init, request->flags & HAKO_START_STDIN) < 0) {
    fail(failure, "memory", errno, "the process could not be watched");
    abort_container(&supervisor.container);
    return -1;
  }
  return 0;
}

void start_undo(void) {
  control_socket_close(HAKO_FD_STATE);
  exit_record_abandon(HAKO_FD_STATE);
  if (supervisor.sink)
    sink_close(supervisor.sink, true);
  supervisor.sink = NULL;
}

int start_run(struct session *session, const struct start_request *request, struct failure *failure) {
  if (watch(request, failure) < 0)
    return -1;
  supervisor.phase = PHASE_RUNNING;
  supervisor.flags = request->flags;
  supervisor.task.sink = supervisor.sink;
  supervisor.task.logged = logged;
  supervisor.task.sink_wait = (struct timer){.expired = sink_wait_expired};
  supervisor.task.ended = supervisor_container_ended;
  supervisor.task.stdin_once = request->flags & HAKO_START_STDIN_ONCE;
  exit_record_remove_old(HAKO_FD_STATE);
  task_join(&supervisor.task, session, request->attach);
  supervisor_hold(session, true);
  session->ends_container = true; // detached or not, until its start is recorded
  answer_started(session, &supervisor.container.init);
  oom_watch(request);
  return 0;
}

void start_failed(struct session *session, const struct failure *failure) {
  session_send_failure(session, failure);
  supervisor_end(1);
  session_finish(session);
}

// Keeps what outlasts the frame: of a container that waits, all.
static int begin(struct session *session, struct start_request *request, uint8_t **payload,
                 struct failure *failure) {
  struct handshake handshake;
  if (claim(failure) < 0 || container_start(request, prepare_state, &supervisor.container, &handshake, failure) < 0)
    return -1;
  title_set(request->title);
  if (!(request->flags & HAKO_START_WAIT))
    return start_run(session, request, failure);
  prepared_keep(session, request, *payload, &handshake);
  *payload = NULL;
  return 0;
}

void supervisor_start(struct session *session, uint8_t **payload, uint32_t length) {
  struct start_request request;
  struct failure failure;
  bool begun = request_decode_start(*payload, length, &request, &failure) == 0;
  if (begun) {
    begun = begin(session, &request, payload, &failure) == 0;
    if (!begun)
      start_undo();
    if (supervisor.phase != PHASE_PREPARED)
      arena_free(&request.arena);
  }
  if (supervisor.extra_fds > 0)
    sys_close_range(HAKO_FD_EXTRA, HAKO_FD_EXTRA + supervisor.extra_fds - 1, 0);
  if (!begun)
    start_failed(session, &failure);
}
