// SPDX-License-Identifier: Apache-2.0
//
// Where what was decoded lives: one mapping for each request, given back as a
// whole. Untouched pages cost nothing, so the worst case is mapped at once.
#ifndef HAKO_ARENA_H
#define HAKO_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "../common/failure.h"
#include "../common/wire.h"
#include "../protocol.h"

struct arena {
  uint8_t *base;
  size_t used;
  size_t size;
};

struct string_list {
  char **items; // a NULL after the last
  uint32_t count;
};

#define MOST_STRINGS (HAKO_MAX_REQUEST / 4)

// Room for `size` bytes and a little more. MAP_SHARED: the processes that are made from
// here on see what comes into it.
int arena_map(struct arena *arena, size_t size, int sharing, struct failure *failure);
void arena_free(struct arena *arena);

// Zeroed, and aligned for anything. Without room the reader fails.
void *arena_allocate(struct arena *arena, struct wire_reader *r, size_t count, size_t size);

// `spare` entries more than the list has, and the NULL.
struct string_list arena_read_strings(struct arena *arena, struct wire_reader *r, uint32_t spare);

#endif
