// SPDX-License-Identifier: Apache-2.0
//
// The rules of compile.h as structs, once they are known to be sound.
#ifndef HAKO_SECCOMP_RULES_H
#define HAKO_SECCOMP_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "../common/failure.h"

// Larger than any profile; keeps what a hostile one can cost small.
#define SECCOMP_RULES_MAX (1u << 20)

struct seccomp_condition {
  uint64_t mask;
  uint64_t value;
  uint8_t argument;
  uint8_t comparison;
  uint8_t width;
};

struct seccomp_alternative {
  const struct seccomp_condition *conditions;
  uint32_t condition_count;
  uint32_t action;
};

// What becomes of a call: the action of the first alternative that holds, else this one.
struct seccomp_verdict {
  const struct seccomp_alternative *alternatives;
  uint32_t alternative_count;
  uint32_t action;
};

struct seccomp_range {
  struct seccomp_verdict verdict;
  uint32_t first;
  uint32_t last;
};

struct seccomp_architecture {
  const struct seccomp_range *ranges;
  uint32_t range_count;
  uint32_t audit;
};

struct seccomp_rules {
  uint32_t default_action;
  uint32_t bad_architecture_action;
  struct seccomp_architecture *architectures;
  uint32_t architecture_count;
  void *memory;
};

// Gives 0, or -1 with the failure. What was given is freed by seccomp_rules_free.
int seccomp_rules_read(const uint8_t *bytes, size_t length, struct seccomp_rules *rules, struct failure *failure);

void seccomp_rules_free(struct seccomp_rules *rules);

#endif
