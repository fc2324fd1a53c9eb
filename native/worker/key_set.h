// SPDX-License-Identifier: Apache-2.0
//
// Sets and maps of 64-bit keys that stand for files: an inode, or a name in a
// directory. Open addressing; nothing is ever taken out.
#ifndef HAKO_KEY_SET_H
#define HAKO_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct key_slot {
  uint64_t key; // 0: free
  uint64_t value;
};

struct key_set {
  struct key_slot *slots;
  size_t count;
  size_t size; // 0 or a power of two
};

// The key of a name in a directory, or (name NULL) of an inode itself. Seeded at random for each process, so that no
// archive can be made in which chosen names fall together.
uint64_t key_of(dev_t device, ino_t inode, const char *name);

// Must be called once before key_of.
bool key_seed(void);

// The value of a key, put in with `value` when it was not there. NULL: no memory.
uint64_t *key_set_put(struct key_set *set, uint64_t key, uint64_t value, bool *was_there);

bool key_set_has(const struct key_set *set, uint64_t key);

void key_set_free(struct key_set *set);

#endif
