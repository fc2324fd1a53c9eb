// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../protocol.h"

// Far over what output alone can leave in a queue: only a peer that asks and
// never reads its answers gets there, and is not listened to until it does.
#define MOST_QUEUED (512u << 10)
#define READS_A_TURN 32 // then others get theirs

static struct session *all;
static size_t open_count;
static bool any_closed;
static uint64_t progress;

static bool is_queued(const struct session *session) {
  return queue_length(&session->queue) > 0;
}

static bool is_listened_to(const struct session *session) {
  return session->stage == SESSION_OPEN && !session->input_held && queue_length(&session->queue) <= MOST_QUEUED;
}

static void update_watch(struct session *session) {
  if (session->stage == SESSION_CLOSED)
    return;
  uint32_t interest = is_queued(session) ? EPOLLOUT : 0;
  if (is_listened_to(session) || session->stage == SESSION_LINGERING)
    interest |= EPOLLIN;
  // A peer that is gone would be told of again and again with nothing to do about it.
  if (session->deaf && interest == 0)
    loop_mute(&session->watch);
  else if (loop_watch(&session->watch, interest) < 0)
    session_close(session);
}

// ── Going out ──

// What is sent from now on goes nowhere, and a peer that is still there sees the
// end; what it sent before is still read.
static void go_deaf(struct session *session) {
  session->deaf = true;
  shutdown(session->watch.fd, SHUT_WR);
  bool queued = is_queued(session);
  queue_drop(&session->queue);
  if (queued)
    session->events->drained(session);
}

static void send_parts(struct session *session, const void *head, size_t head_length, const void *body, size_t length) {
  if (session->deaf || session->stage > SESSION_FINISHING)
    return;
  struct iovec parts[2] = {{(void *)head, head_length}, {(void *)body, length}};
  ssize_t sent = queue_send(&session->queue, session->watch.fd, parts);
  if (sent < 0)
    go_deaf(session);
  else
    progress += (uint64_t)sent;
  if (is_queued(session))
    update_watch(session);
}

void session_send_frame(struct session *session, const uint8_t *frame, size_t length) {
  send_parts(session, frame, length, NULL, 0);
}

void session_send_output(struct session *session, uint8_t stream, const uint8_t *bytes, size_t length) {
  uint8_t head[WIRE_HEADER + 1];
  wire_put_header(head, (uint32_t)length + 1, HAKO_OUTPUT);
  head[WIRE_HEADER] = stream;
  send_parts(session, head, sizeof head, bytes, length);
}

void session_send_failure(struct session *session, const struct failure *failure) {
  uint8_t frame[sizeof *failure + 64];
  struct wire_writer writer = wire_begin(frame, sizeof frame, HAKO_FAILED);
  wire_put_str(&writer, failure->operation);
  wire_put_i32(&writer, failure->errnum);
  wire_put_str(&writer, failure->detail);
  session_send_frame(session, frame, wire_end(&writer));
}

bool session_is_behind(const struct session *session) {
  return is_queued(session);
}

static void flush_queue(struct session *session) {
  ssize_t sent = queue_flush(&session->queue, session->watch.fd);
  if (sent < 0) {
    go_deaf(session);
    return;
  }
  progress += (uint64_t)sent;
  if (!is_queued(session))
    session->events->drained(session);
}

// ── Coming in ──

void session_refuse(struct session *session, const char *operation, int errnum, const char *why) {
  struct failure failure;
  fail(&failure, operation, errnum, why);
  session_send_failure(session, &failure);
  session_finish(session);
}

// Before anything is set aside for it: a type that is none, or a length over its limit.
static bool begin_payload(struct session *session) {
  uint8_t type = wire_frame_type(session->header);
  uint32_t length = wire_frame_length(session->header);
  bool request = type == HAKO_START || type == HAKO_EXEC;
  if (type < HAKO_START || type > HAKO_GO || (request && session->greeted)) {
    session_refuse(session, "protocol", 0, "a frame of a type that has no place there");
    return false;
  }
  if (length > (request || type == HAKO_GO ? HAKO_MAX_REQUEST : HAKO_MAX_FRAME)) {
    session_refuse(session, "protocol", 0, "a frame that is too long");
    return false;
  }
  session->payload_length = length;
  session->payload_got = 0;
  session->payload = malloc(length + 1); // never NULL for want of length
  if (!session->payload) {
    session_refuse(session, "memory", ENOMEM, "no memory for a frame");
    return false;
  }
  return true;
}

static void end_payload(struct session *session) {
  uint8_t *payload = session->payload;
  session->payload = NULL;
  session->header_got = 0;
  session->events->frame(session, wire_frame_type(session->header), &payload, session->payload_length);
  session->greeted = true;
  free(payload);
}

// One read(2), and what follows from it. False: nothing more to be had now.
static bool read_some(struct session *session) {
  bool in_header = session->header_got < WIRE_HEADER;
  uint8_t *into = in_header ? session->header + session->header_got : session->payload + session->payload_got;
  size_t wanted = in_header ? WIRE_HEADER - session->header_got : session->payload_length - session->payload_got;
  ssize_t count = read(session->watch.fd, into, wanted);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (count <= 0) {
    session_close(session);
    return false;
  }
  if (in_header) {
    session->header_got += (uint8_t)count;
    if (session->header_got < WIRE_HEADER)
      return true;
    if (!begin_payload(session))
      return false;
  } else {
    session->payload_got += (uint32_t)count;
  }
  if (session->payload_got == session->payload_length)
    end_payload(session);
  return true;
}

// The peer has hung up while its frames are not being read.
static void hung_up(struct session *session) {
  // One that decides over a life ends now: that must not wait behind its own stdin.
  if (session->stage != SESSION_OPEN || session->ends_task || session->ends_container)
    session_close(session);
  else
    go_deaf(session);
}

static void discard_input(struct session *session) {
  char bytes[4096];
  ssize_t count = read(session->watch.fd, bytes, sizeof bytes);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
    session_close(session);
}

// All was said. A socket closed at once would break the peer's writes (stdin,
// mostly) before it has read what was said, so the peer hangs up first.
static void linger(struct session *session) {
  session->stage = SESSION_LINGERING;
  if (session->deaf || shutdown(session->watch.fd, SHUT_WR) < 0)
    session_close(session);
}

static void session_ready(struct watch *watch, uint32_t events) {
  struct session *session = LOOP_OWNER(watch, struct session, watch);
  bool reading = watch->interest & EPOLLIN;
  if (events & EPOLLOUT)
    flush_queue(session);
  if (!reading && (events & (EPOLLHUP | EPOLLERR)))
    hung_up(session);
  else if (session->stage == SESSION_FINISHING && !is_queued(session))
    linger(session);
  else if (session->stage == SESSION_LINGERING)
    discard_input(session);
  for (int i = 0; reading && i < READS_A_TURN && is_listened_to(session); i++) {
    if (!read_some(session))
      break;
  }
  update_watch(session);
}

void session_hold_input(struct session *session, bool hold) {
  session->input_held = hold;
  update_watch(session);
}

// ── Life ──

struct session *session_open(int fd, const struct session_events *events) {
  struct session *session = calloc(1, sizeof *session);
  if (!session) {
    close_fd(&fd);
    return NULL;
  }
  session->watch = (struct watch){.fd = fd, .ready = session_ready};
  session->events = events;
  if (loop_watch(&session->watch, EPOLLIN) < 0) {
    close_fd(&fd);
    free(session);
    return NULL;
  }
  session->next = all;
  all = session;
  open_count++;
  return session;
}

static void leave(struct session *session, enum session_stage stage) {
  bool was_open = session->stage == SESSION_OPEN;
  session->stage = stage;
  if (was_open)
    session->events->ended(session);
}

void session_finish(struct session *session) {
  if (session->stage != SESSION_OPEN)
    return;
  leave(session, SESSION_FINISHING);
  if (!is_queued(session))
    linger(session);
  update_watch(session);
}

void session_close(struct session *session) {
  if (session->stage == SESSION_CLOSED)
    return;
  queue_drop(&session->queue);
  loop_close(&session->watch);
  open_count--;
  any_closed = true;
  leave(session, SESSION_CLOSED);
}

void sessions_sweep(void) {
  if (!any_closed)
    return;
  any_closed = false;
  for (struct session **link = &all; *link;) {
    struct session *session = *link;
    if (session->stage != SESSION_CLOSED) {
      link = &session->next;
      continue;
    }
    *link = session->next;
    free(session->payload);
    free(session->stdin_data);
    free(session);
  }
}

size_t sessions_open(void) {
  return open_count;
}

void sessions_each(void (*visit)(struct session *session)) {
  for (struct session *session = all; session; session = session->next) {
    if (session->stage == SESSION_OPEN)
      visit(session);
  }
}

uint64_t sessions_progress(void) {
  return progress;
}
