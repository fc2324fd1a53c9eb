// SPDX-License-Identifier: Apache-2.0
#include "send_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

size_t queue_length(const struct send_queue *queue) {
  return queue->end - queue->start;
}

void queue_drop(struct send_queue *queue) {
  free(queue->bytes);
  *queue = (struct send_queue){0};
}

static bool append(struct send_queue *queue, const void *bytes, size_t length) {
  size_t queued = queue_length(queue);
  if (queue->size - queue->end < length) {
    uint8_t *larger = malloc(queued + length);
    if (!larger)
      return false;
    if (queued > 0)
      memcpy(larger, queue->bytes + queue->start, queued);
    free(queue->bytes);
    *queue = (struct send_queue){.bytes = larger, .end = queued, .size = queued + length};
  }
  memcpy(queue->bytes + queue->end, bytes, length);
  queue->end += length;
  return true;
}

static bool may_pass(int error) {
  return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

// 0 when the socket is full, or the kernel short of memory.
static ssize_t send_parts(int fd, const struct iovec *parts, size_t count) {
  struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 && may_pass(errno) ? 0 : sent;
}

ssize_t queue_send(struct send_queue *queue, int fd, const struct iovec parts[2]) {
  ssize_t sent = queue_length(queue) > 0 ? 0 : send_parts(fd, parts, 2);
  if (sent < 0)
    return -1;
  size_t skip = (size_t)sent;
  for (int i = 0; i < 2; i++) {
    size_t skipped = skip < parts[i].iov_len ? skip : parts[i].iov_len;
    size_t rest = parts[i].iov_len - skipped;
    if (rest > 0 && !append(queue, (const uint8_t *)parts[i].iov_base + skipped, rest))
      return -1;
    skip -= skipped;
  }
  return sent;
}

ssize_t queue_flush(struct send_queue *queue, int fd) {
  if (queue_length(queue) == 0)
    return 0;
  struct iovec rest = {queue->bytes + queue->start, queue_length(queue)};
  ssize_t sent = send_parts(fd, &rest, 1);
  if (sent <= 0)
    return sent;
  queue->start += (size_t)sent;
  if (queue_length(queue) == 0)
    queue_drop(queue);
  return sent;
}
