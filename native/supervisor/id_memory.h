// SPDX-License-Identifier: Apache-2.0
//
// The memory of a process whose call is to be answered. Where userfaultfd(2) or
// a FUSE filesystem of the container's own stands behind it, a page may never
// come: a process of its own goes for it, which is given up after a while.
#ifndef HAKO_ID_MEMORY_H
#define HAKO_ID_MEMORY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_MEMORY 256 // bytes that are read at once

struct id_call {
  const struct seccomp_notif *notification;
  int listener;          // tells whether the process still waits for the answer
  unsigned *given_up_on; // how often memory of the processes behind this listener did not come
};

struct memory_part {
  uint64_t address;
  const void *data;
  size_t size;
};

// False: there is no such memory, or it has been waited for too often.
bool id_memory_read(const struct id_call *call, uint64_t address, void *data, size_t size);
bool id_memory_write(const struct id_call *call, const struct memory_part parts[], size_t count);

#endif
