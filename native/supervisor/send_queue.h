// SPDX-License-Identifier: Apache-2.0
//
// Bytes for a socket that did not take them yet.
#ifndef HAKO_SEND_QUEUE_H
#define HAKO_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct send_queue {
  uint8_t *bytes; // NULL while empty
  size_t start, end, size;
};

size_t queue_length(const struct send_queue *queue);
void queue_drop(struct send_queue *queue);

// Sends the two parts now as far as the socket takes them, if nothing waits
// before them, and queues the rest. Bytes sent, or -1: the peer reads no more,
// or there is no memory for what it does not read.
ssize_t queue_send(struct send_queue *queue, int fd, const struct iovec parts[2]);

// Sends of what waits; bytes sent, or -1 when the peer reads no more.
ssize_t queue_flush(struct send_queue *queue, int fd);

#endif
