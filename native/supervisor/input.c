// SPDX-License-Identifier: Apache-2.0
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

// Bytes written, or -1 when the process reads no more.
static ssize_t write_some(const struct input *input, const uint8_t *bytes, uint32_t length) {
  ssize_t count = write(input->watch.fd, bytes, length);
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : count;
}

static void release(struct session *session) {
  free(session->stdin_data);
  session->stdin_data = NULL;
  session_hold_input(session, false);
}

void input_close(struct input *input) {
  loop_close(&input->watch);
  while (input->first) {
    struct session *session = input->first;
    input->first = session->stdin_next;
    release(session);
  }
}

// Nobody waits: a watch would only report, without end, that the reader has gone.
static void rest(struct input *input) {
  if (input->ending)
    input_close(input);
  else
    loop_mute(&input->watch);
}

static void input_ready(struct watch *watch, uint32_t events) {
  struct input *input = LOOP_OWNER(watch, struct input, watch);
  (void)events;
  struct session *session = input->first;
  uint32_t left = session->stdin_length - session->stdin_written;
  ssize_t count = write_some(input, session->stdin_data + session->stdin_written, left);
  if (count < 0) {
    input_close(input);
    return;
  }
  session->stdin_written += (uint32_t)count;
  if ((uint32_t)count < left)
    return;
  input->first = session->stdin_next;
  release(session);
  if (!input->first)
    rest(input);
}

void input_open(struct input *input, struct task *task, int fd) {
  *input = (struct input){.watch = {.fd = fd, .ready = input_ready}, .task = task};
}

void input_write(struct input *input, struct session *session, uint8_t **payload, uint32_t length) {
  if (input->watch.fd < 0 || input->ending || length == 0)
    return;
  ssize_t count = input->first ? 0 : write_some(input, *payload, length);
  if (count < 0 || (!input->first && (uint32_t)count < length && loop_watch(&input->watch, EPOLLOUT) < 0)) {
    input_close(input);
    return;
  }
  if ((uint32_t)count == length)
    return;
  session->stdin_data = *payload;
  session->stdin_length = length;
  session->stdin_written = (uint32_t)count;
  session->stdin_next = NULL;
  *payload = NULL;
  struct session **last = &input->first;
  while (*last)
    last = &(*last)->stdin_next;
  *last = session;
  session_hold_input(session, true);
}

void input_end(struct input *input) {
  if (input->watch.fd < 0 || input->task->is_tty)
    return;
  input->ending = true;
  if (!input->first)
    input_close(input);
}

void input_forget(struct input *input, struct session *session) {
  for (struct session **link = &input->first; *link; link = &(*link)->stdin_next) {
    if (*link != session)
      continue;
    *link = session->stdin_next;
    if (!input->first)
      rest(input);
    return;
  }
}
