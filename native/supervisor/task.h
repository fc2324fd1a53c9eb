// SPDX-License-Identifier: Apache-2.0
//
// A process of the container that sessions see and feed: its first one, or an
// exec's. A task outlives its process until the output that was left in the
// pipes has been taken.
#ifndef HAKO_TASK_H
#define HAKO_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "container.h"
#include "loop.h"
#include "session.h"
#include "sink.h"

struct task;

// Counts as a byte that is left behind, so that it is read, too.
#define END_OF_FILE 1

struct stream {
  struct watch watch; // fd -1: has ended
  struct task *task;
  uint8_t number; // 1 stdout, 2 stderr
  // Bytes that the process left behind when it ended: taken without regard to
  // slow readers, so that the exit waits for none of them.
  size_t left_behind;
};

struct input {
  struct watch watch; // fd -1: closed, or there never was one
  struct task *task;
  struct session *first; // those with data that stdin did not take, in order
  bool ending;           // closes when they are through
};

struct exit_status {
  int code; // 0–255, 128 + signal
  int signal;
  bool oom_killed;
  int64_t finished_at; // ns since the epoch
};

struct task {
  struct process process; // its descriptors are in the watches below
  struct watch exit;      // the pidfd
  struct stream streams[2];
  struct input input;
  int tty_slave;
  bool is_tty;
  struct sink *sink;                 // NULL: output goes to sessions only
  void (*logged)(struct task *task); // after the sink got some
  struct timer sink_wait;            // for a sink that is blocked
  struct session *sessions;
  bool stdin_once; // stdin ends with the first session that could feed it
  bool exited;
  struct exit_status status;
  struct timer drain;
  int64_t drain_deadline;
  void (*ended)(struct task *task); // the process has ended and its output was taken
  struct task *next;                // among the execs
};

// All zero but for what has no descriptor yet.
#define TASK_EMPTY                                                                                         \
  (struct task) {                                                                                          \
    .exit.fd = -1, .tty_slave = -1, .input.watch.fd = -1, .streams = {{.watch.fd = -1}, {.watch.fd = -1}}, \
  }

// Takes over the process's descriptors. `feeds`: sessions may write to its stdin.
// Returns 0, or -1 with errno, after which task_close has to follow.
int task_watch(struct task *task, const struct process *process, bool feeds);

void task_join(struct task *task, struct session *session, uint32_t attach);
void task_leave(struct session *session);

// A reader has caught up, or has gone: streams that waited for it go on.
void task_resume(struct task *task);

// Nothing to one that has ended. There is no other failure: a signal's number is
// checked on its way in, and a process of the container is ours to signal.
void task_signal(struct task *task, int signal);
void task_resize(struct task *task, uint16_t rows, uint16_t columns);

// The process was reaped.
void task_exited(struct task *task, int code, int signal);

// Called by a stream when it was read, or has ended.
void task_stream_read(struct task *task);

// Closes what is still open.
void task_close(struct task *task);

#endif
