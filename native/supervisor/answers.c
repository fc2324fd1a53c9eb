// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include "../protocol.h"
#include "supervisor.h"

#define MOST_ANSWER (WIRE_HEADER + 64)

void answer_started(struct session *session, const struct process *process) {
  uint8_t frame[MOST_ANSWER];
  struct wire_writer writer = wire_begin(frame, sizeof frame, HAKO_STARTED);
  wire_put_i32(&writer, process->pid);
  wire_put_u64(&writer, process->start_ticks);
  wire_put_i64(&writer, process->started_at);
  wire_put_u32(&writer, process->uid);
  wire_put_u32(&writer, process->gid);
  wire_put_u8(&writer, process->tty_master >= 0);
  session_send_frame(session, frame, wire_end(&writer));
}

void answer_prepared(struct session *session) {
  uint8_t frame[WIRE_HEADER];
  wire_put_header(frame, 0, HAKO_PREPARED);
  session_send_frame(session, frame, sizeof frame);
}

void answer_state(struct session *session) {
  const struct process *process = &supervisor.task.process;
  struct sink_counts counts = sink_counts(supervisor.sink);
  uint8_t frame[MOST_ANSWER];
  struct wire_writer writer = wire_begin(frame, sizeof frame, HAKO_STATE_REPLY);
  wire_put_u8(&writer, !supervisor.task.exited);
  wire_put_i32(&writer, process->pid);
  wire_put_u64(&writer, process->start_ticks);
  wire_put_i64(&writer, process->started_at);
  wire_put_u32(&writer, supervisor.exec_count);
  wire_put_u64(&writer, counts.written);
  wire_put_u64(&writer, counts.lost);
  session_send_frame(session, frame, wire_end(&writer));
}

void answer_exited(struct task *task, bool cleared) {
  const struct exit_status *status = &task->status;
  uint8_t frame[MOST_ANSWER];
  struct wire_writer writer = wire_begin(frame, sizeof frame, HAKO_EXITED);
  wire_put_i32(&writer, status->code);
  wire_put_i32(&writer, status->signal);
  wire_put_u8(&writer, status->oom_killed);
  wire_put_i64(&writer, status->finished_at);
  wire_put_u8(&writer, cleared);
  size_t length = wire_end(&writer);
  for (struct session *session = task->sessions, *next; session; session = next) {
    next = session->task_next;
    session->ends_container = false; // this end is ours, not the peer's
    session_send_frame(session, frame, length);
  }
}

void sessions_dismiss(struct task *task) {
  for (struct session *session; (session = task->sessions) != NULL;) {
    task_leave(session);
    session_finish(session);
  }
}
