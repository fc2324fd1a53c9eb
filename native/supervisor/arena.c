// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <errno.h>
#include <sys/mman.h>

#define FOR_ALIGNMENT 65536u

int arena_map(struct arena *arena, size_t size, int sharing, struct failure *failure) {
  size += FOR_ALIGNMENT;
  void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return fail(failure, "memory", errno, "no address space for a request");
  *arena = (struct arena){.base = base, .size = size};
  return 0;
}

void arena_free(struct arena *arena) {
  if (arena->base)
    munmap(arena->base, arena->size);
  *arena = (struct arena){0};
}

void *arena_allocate(struct arena *arena, struct wire_reader *r, size_t count, size_t size) {
  size_t bytes = (count * size + 15) & ~(size_t)15;
  if (bytes > arena->size - arena->used) {
    r->failed = true;
    bytes = 0;
  }
  void *start = arena->base + arena->used;
  arena->used += bytes;
  return start;
}

struct string_list arena_read_strings(struct arena *arena, struct wire_reader *r, uint32_t spare) {
  struct string_list list = {.count = wire_count(r, 4, MOST_STRINGS)};
  list.items = arena_allocate(arena, r, (size_t)list.count + spare + 1, sizeof(char *));
  for (uint32_t i = 0; i < list.count && !r->failed; i++)
    list.items[i] = wire_str(r);
  return list;
}
