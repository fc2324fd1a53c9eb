// SPDX-License-Identifier: Apache-2.0
#include "tar_sparse.h"

#include <stdlib.h>
#include <string.h>

#include "tar_number.h"

bool tar_sparse_add(struct tar_sparse *map, uint64_t offset, uint64_t length) {
  if (map->count == TAR_SPARSE_MOST)
    return false;
  if (map->count == map->capacity) {
    size_t capacity = map->capacity > 0 ? map->capacity * 2 : 32;
    struct tar_extent *extents = realloc(map->extents, capacity * sizeof *extents);
    if (!extents)
      return false;
    map->extents = extents;
    map->capacity = capacity;
  }
  map->extents[map->count++] = (struct tar_extent){offset, length};
  return true;
}

bool tar_sparse_check(const struct tar_sparse *map, uint64_t size, uint64_t stored) {
  uint64_t end = 0;
  uint64_t sum = 0;
  for (size_t i = 0; i < map->count; i++) {
    struct tar_extent extent = map->extents[i];
    if (extent.offset < end || extent.offset > size || extent.length > size - extent.offset)
      return false;
    end = extent.offset + extent.length;
    sum += extent.length;
  }
  return sum == stored;
}

bool tar_sparse_parse_list(struct tar_sparse *map, const char *text, size_t length) {
  map->count = 0;
  uint64_t pair[2];
  size_t half = 0;
  for (size_t at = 0; at <= length;) {
    const char *comma = at < length ? memchr(text + at, ',', length - at) : NULL;
    size_t end = comma ? (size_t)(comma - text) : length;
    if (!tar_number_decimal(text + at, end - at, &pair[half]))
      return false;
    half ^= 1;
    if (half == 0 && !tar_sparse_add(map, pair[0], pair[1]))
      return false;
    at = end + 1;
  }
  return half == 0;
}

void tar_sparse_free(struct tar_sparse *map) {
  free(map->extents);
  *map = (struct tar_sparse){0};
}
