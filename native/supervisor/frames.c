// SPDX-License-Identifier: Apache-2.0
//
// What each frame of protocol.h asks for.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "../protocol.h"
#include "answers.h"
#include "control_socket.h"
#include "input.h"
#include "prepared.h"
#include "supervisor.h"

// Each costs a descriptor, and up to half a MiB if its peer never reads.
#define MOST_SESSIONS 1024

#define ATTACH_FLAGS (HAKO_ATTACH_STDIN | HAKO_ATTACH_STDOUT | HAKO_ATTACH_STDERR)

void supervisor_hold(struct session *session, bool holds) {
  session->holds = holds;
  session->ends_container = holds && !(supervisor.flags & HAKO_START_DETACHED);
}

static bool attach(struct session *session, uint32_t flags, const char *exec) {
  if (session->greeted || (flags & ~ATTACH_FLAGS) != 0)
    return false;
  if (*exec == 0)
    session->attach = flags;
  else if (!exec_attach(session, exec, flags))
    session_refuse(session, "attach", ESRCH, exec);
  return true;
}

static bool hold(struct session *session, uint8_t value) {
  if (value > 1)
    return false;
  if (value == 0 && session->task != &supervisor.task)
    exec_release(session);
  supervisor_hold(session, value == 1);
  return true;
}

static bool adopt(struct session *session, const char *directory) {
  struct failure failure;
  if (directory[0] != '/')
    return false;
  if (supervisor.task.exited)
    fail(&failure, "cgroup", ESRCH, "the container is not running");
  else if (container_adopt(&supervisor.container, directory, &failure) == 0 && execs_join(directory, &failure) == 0)
    return true;
  session_send_failure(session, &failure);
  return true;
}

// Every field is read before anything is done. False: the frame is unsound.
static bool handle(struct session *session, uint8_t type, uint8_t **payload, uint32_t length) {
  bool feeds = session->attach & HAKO_ATTACH_STDIN;
  struct wire_reader reader = wire_reader(*payload, length);
  switch (type) {
  case HAKO_STDIN:
    if (feeds)
      input_write(&session->task->input, session, payload, length);
    return feeds;
  case HAKO_STDIN_EOF:
    if (feeds && length == 0)
      input_end(&session->task->input);
    return feeds && length == 0;
  case HAKO_STATE:
    if (length == 0)
      answer_state(session);
    return length == 0;
  case HAKO_ATTACH: {
    uint32_t flags = wire_u32(&reader);
    const char *exec = wire_str(&reader);
    return wire_done(&reader) && attach(session, flags, exec);
  }
  case HAKO_SIGNAL: {
    int32_t number = wire_i32(&reader);
    bool sound = wire_done(&reader) && number > 0 && number < _NSIG;
    if (sound && session->task == &supervisor.task)
      supervisor_signal(number);
    else if (sound)
      task_signal(session->task, number);
    return sound;
  }
  case HAKO_RESIZE: {
    uint16_t rows = wire_u16(&reader), columns = wire_u16(&reader);
    if (wire_done(&reader))
      task_resize(session->task, rows, columns);
    return wire_done(&reader);
  }
  case HAKO_HOLD: {
    uint8_t value = wire_u8(&reader);
    return wire_done(&reader) && hold(session, value);
  }
  case HAKO_GROUP: {
    const char *directory = wire_str(&reader);
    return wire_done(&reader) && adopt(session, directory);
  }
  default:
    return false;
  }
}

static void on_frame(struct session *session, uint8_t type, uint8_t **payload, uint32_t length) {
  // Only the owner's session is there before the container is.
  bool sound = true;
  if (supervisor.phase == PHASE_BORN && type == HAKO_START)
    supervisor_start(session, payload, length);
  else if (supervisor.phase == PHASE_PREPARED && type == HAKO_GO)
    prepared_go(session, *payload, length);
  else if (supervisor.phase < PHASE_RUNNING)
    sound = false;
  else if (type == HAKO_EXEC)
    supervisor_exec(session, *payload, length);
  else
    sound = handle(session, type, payload, length);
  if (!sound)
    session_refuse(session, "protocol", 0, "a frame that is malformed or has no place there");
}

static void on_ended(struct session *session) {
  bool ends_container = session->ends_container;
  if (session->task)
    task_leave(session);
  if (supervisor.phase == PHASE_BORN)
    supervisor_end(1);
  else if (supervisor.phase == PHASE_PREPARED)
    prepared_left(session);
  else if (ends_container)
    supervisor_signal(SIGKILL);
}

static void on_drained(struct session *session) {
  if (session->task)
    task_resume(session->task);
}

static const struct session_events events = {.frame = on_frame, .ended = on_ended, .drained = on_drained};

int supervisor_own(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    return -1;
  return session_open(fd, &events) ? 0 : -1;
}

void supervisor_connected(int fd) {
  struct session *session = session_open(fd, &events);
  if (!session)
    return;
  // Its owner alone knows of it: nobody may run a program before the first one.
  if (supervisor.phase == PHASE_PREPARED) {
    session_refuse(session, "session", EAGAIN, "the container has no program yet");
    return;
  }
  task_join(&supervisor.task, session, 0);
  if (sessions_open() > MOST_SESSIONS)
    session_refuse(session, "session", EAGAIN, "too many sessions");
}
