// SPDX-License-Identifier: Apache-2.0
//
// One connection: frames come in whole, frames go out in order. What a frame
// means is not known here.
#ifndef HAKO_SESSION_H
#define HAKO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/failure.h"
#include "../common/wire.h"
#include "loop.h"
#include "send_queue.h"

struct task;
struct session;

struct session_events {
  // A whole frame. `*payload` is freed afterwards unless it was taken (set to NULL).
  void (*frame)(struct session *session, uint8_t type, uint8_t **payload, uint32_t length);
  // The peer has hung up, or the session was finished: no frame comes any more.
  // Called once, before the memory goes.
  void (*ended)(struct session *session);
  // All that was queued has left.
  void (*drained)(struct session *session);
};

enum session_stage {
  SESSION_OPEN,
  SESSION_FINISHING, // what was queued leaves
  SESSION_LINGERING, // until the peer hangs up; what it still sends is thrown away
  SESSION_CLOSED,    // its memory goes with the next sweep
};

struct session {
  struct watch watch;
  const struct session_events *events;
  enum session_stage stage;
  struct session *next;

  // Coming in.
  uint8_t header[WIRE_HEADER];
  uint8_t header_got;
  uint8_t *payload;
  uint32_t payload_length, payload_got;
  bool greeted;    // its first frame came
  bool input_held; // frames are not read for now

  // Going out.
  struct send_queue queue;
  bool deaf; // the peer reads no more: what is sent goes nowhere

  // What it is for.
  struct task *task; // whose output it may get, whose stdin it may feed
  struct session *task_next;
  uint32_t attach;     // HAKO_ATTACH_*
  bool ends_task;      // with its end
  bool holds;          // HAKO_HOLD: stands for the embedder
  bool ends_container; // with its end

  // Stdin that the process did not take yet.
  struct session *stdin_next; // in the line of those who wait
  uint8_t *stdin_data;
  uint32_t stdin_length, stdin_written;
};

// Takes the descriptor (non-blocking). NULL with errno, and the descriptor closed.
struct session *session_open(int fd, const struct session_events *events);

// A frame that is whole, header and all.
void session_send_frame(struct session *session, const uint8_t *frame, size_t length);

// HAKO_OUTPUT; `length` < HAKO_MAX_FRAME.
void session_send_output(struct session *session, uint8_t stream, const uint8_t *bytes, size_t length);

void session_send_failure(struct session *session, const struct failure *failure);

// HAKO_FAILED as the last word.
void session_refuse(struct session *session, const char *operation, int errnum, const char *why);

// Whether the peer reads more slowly than we send.
bool session_is_behind(const struct session *session);

// Reads no frames until told otherwise, so that the peer has to wait.
void session_hold_input(struct session *session, bool hold);

// The last word was said: no frame is taken any more, and the connection ends
// once what was queued has left.
void session_finish(struct session *session);

// At once. The memory stays until sessions_sweep.
void session_close(struct session *session);

// Frees those that are closed.
void sessions_sweep(void);

// Those that still have a descriptor.
size_t sessions_open(void);
void sessions_each(void (*visit)(struct session *session));

// Grows with every byte that any peer takes.
uint64_t sessions_progress(void);

#endif
