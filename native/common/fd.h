// SPDX-License-Identifier: Apache-2.0
//
// File descriptors that close themselves, and reads and writes that are whole.
#ifndef HAKO_FD_H
#define HAKO_FD_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

// Again while a signal interrupts.
#define RETRY(call)                          \
  __extension__({                            \
    __typeof__(call) result_;                \
    do                                       \
      result_ = (call);                      \
    while (result_ == -1 && errno == EINTR); \
    result_;                                 \
  })

// Closes what is open and keeps errno, so that it can run on the way out of a failure.
static inline void close_fd(int *fd) {
  if (*fd < 0)
    return;
  int saved = errno;
  close(*fd);
  errno = saved;
  *fd = -1;
}

#define cleanup_fd __attribute__((cleanup(close_fd)))

// Gives the descriptor away: the variable no longer closes it.
static inline int steal_fd(int *fd) {
  int stolen = *fd;
  *fd = -1;
  return stolen;
}

// All of it, or -1.
int write_all(int fd, const void *data, size_t length);

// Up to `size` bytes until end of file; the count, or -1.
ssize_t read_all(int fd, void *data, size_t size);

#endif
