// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../protocol.h"
#include "rfc3339.h"

// Whole pages, so that a writer finds whole pages free in its pipe again, and
// with the stream's number still within HAKO_MAX_FRAME.
#define CHUNK (60u << 10)

// A tty can't say how much it holds; its buffers (n_tty, pty) hold less than this.
#define TTY_LEFT_BEHIND (128u << 10)

static uint8_t *chunk;

int output_init(void) {
  void *mapped = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return -1;
  chunk = mapped;
  return 0;
}

void output_trim(void) {
  madvise(chunk, CHUNK, MADV_DONTNEED);
}

static bool reads(const struct session *session, const struct stream *stream) {
  return session->attach & (stream->number == 1 ? HAKO_ATTACH_STDOUT : HAKO_ATTACH_STDERR);
}

static bool is_held_up(const struct stream *stream) {
  if (stream->left_behind > 0)
    return false;
  if (stream->task->sink && sink_is_blocked(stream->task->sink))
    return true;
  for (const struct session *session = stream->task->sessions; session; session = session->task_next) {
    if (reads(session, stream) && session_is_behind(session))
      return true;
  }
  return false;
}

void stream_update(struct stream *stream) {
  if (stream->watch.fd < 0)
    return;
  // Not watched at all while held up: a pipe without writers reports its hang-up without end.
  if (is_held_up(stream))
    loop_mute(&stream->watch);
  else
    loop_watch(&stream->watch, EPOLLIN);
}

static void give(struct stream *stream, size_t length) {
  struct task *task = stream->task;
  if (task->sink) {
    sink_write(task->sink, stream->number, chunk, length, realtime_ns());
    task->logged(task);
  }
  for (struct session *session = task->sessions, *next; session; session = next) {
    next = session->task_next;
    if (reads(session, stream))
      session_send_output(session, stream->number, chunk, length);
  }
  stream->left_behind -= length < stream->left_behind ? length : stream->left_behind;
}

static void stream_ready(struct watch *watch, uint32_t events) {
  (void)events;
  struct stream *stream = LOOP_OWNER(watch, struct stream, watch);
  ssize_t count = read(watch->fd, chunk, CHUNK);
  if (count > 0) {
    give(stream, (size_t)count);
    stream_update(stream);
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    loop_close(watch); // a tty ends with EIO
  }
  task_stream_read(stream->task);
}

int stream_open(struct stream *stream, struct task *task, uint8_t number, int fd) {
  *stream = (struct stream){.watch = {.fd = fd, .ready = stream_ready}, .task = task, .number = number};
  return fd < 0 ? 0 : loop_watch(&stream->watch, EPOLLIN);
}

void stream_process_ended(struct stream *stream) {
  if (stream->watch.fd < 0)
    return;
  int held = 0;
  if (stream->task->is_tty)
    stream->left_behind = TTY_LEFT_BEHIND;
  else if (ioctl(stream->watch.fd, FIONREAD, &held) == 0)
    stream->left_behind = (size_t)held + END_OF_FILE;
  stream_update(stream);
}

void stream_close(struct stream *stream) {
  loop_close(&stream->watch);
}
