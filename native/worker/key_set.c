// SPDX-License-Identifier: Apache-2.0
#include "key_set.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t seed;

bool key_seed(void) {
  return getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed;
}

// The finalizer of MurmurHash3 (public domain): every bit of the input moves every bit of the output.
static uint64_t mix(uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ value >> 33;
}

uint64_t key_of(dev_t device, ino_t inode, const char *name) {
  uint64_t key = mix(seed ^ (uint64_t)inode);
  key = mix(key ^ (uint64_t)device);
  if (name)
    for (; *name; name++)
      key = mix(key ^ (uint64_t)(unsigned char)*name) + 1;
  return key > 0 ? key : 1;
}

static struct key_slot *find(const struct key_set *set, uint64_t key) {
  size_t at = (size_t)key & (set->size - 1);
  while (set->slots[at].key != 0 && set->slots[at].key != key)
    at = (at + 1) & (set->size - 1);
  return &set->slots[at];
}

static bool grow(struct key_set *set) {
  struct key_set larger = {.count = set->count, .size = set->size > 0 ? set->size * 2 : 1024};
  larger.slots = calloc(larger.size, sizeof *larger.slots);
  if (!larger.slots)
    return false;
  for (size_t i = 0; i < set->size; i++)
    if (set->slots[i].key != 0)
      *find(&larger, set->slots[i].key) = set->slots[i];
  free(set->slots);
  *set = larger;
  return true;
}

uint64_t *key_set_put(struct key_set *set, uint64_t key, uint64_t value, bool *was_there) {
  if (set->count * 2 >= set->size && !grow(set))
    return NULL;
  struct key_slot *slot = find(set, key);
  *was_there = slot->key != 0;
  if (!*was_there) {
    *slot = (struct key_slot){key, value};
    set->count++;
  }
  return &slot->value;
}

bool key_set_has(const struct key_set *set, uint64_t key) {
  return set->size > 0 && find(set, key)->key != 0;
}

void key_set_free(struct key_set *set) {
  free(set->slots);
  *set = (struct key_set){0};
}
