// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../common/wire.h"
#include "compile.h"

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif
#ifndef SECCOMP_RET_LOG
#define SECCOMP_RET_LOG 0x7ffc0000u
#endif
#define KILL_THREAD 0u
#define ACTION_MASK 0xffff0000u
#define DATA_MASK 0x0000ffffu
#define MAX_ERRNO 4095u
#define ARGUMENTS 6u

// Sizes on the wire of the smallest element of each list.
#define CONDITION_BYTES 20u
#define ALTERNATIVE_BYTES (8u + CONDITION_BYTES)
#define RANGE_BYTES 16u
#define ARCHITECTURE_BYTES 8u

// Everything that was read lies in arrays as long as the input could possibly fill.
struct builder {
  struct wire_reader wire;
  struct seccomp_architecture *architecture;
  struct seccomp_range *range;
  struct seccomp_alternative *alternative;
  struct seccomp_condition *condition;
  const char *complaint;
};

// What is unsound is not read further.
static bool goes_on(const struct builder *b) {
  return !b->complaint && !b->wire.failed;
}

static bool sound(struct builder *b, bool condition, const char *complaint) {
  if (!condition && !b->complaint)
    b->complaint = complaint;
  return goes_on(b);
}

static uint32_t read_action(struct builder *b) {
  uint32_t action = wire_u32(&b->wire);
  uint32_t data = action & DATA_MASK;
  bool known = false;
  switch (action & ACTION_MASK) {
  case SECCOMP_RET_KILL_PROCESS:
  case KILL_THREAD:
  case SECCOMP_RET_TRAP:
  case SECCOMP_RET_LOG:
  case SECCOMP_RET_USER_NOTIF: // of the id emulation; a profile that names it is refused before
  case SECCOMP_RET_ALLOW:
    known = data == 0;
    break;
  case SECCOMP_RET_ERRNO:
    known = data <= MAX_ERRNO;
    break;
  case SECCOMP_RET_TRACE:
    known = true;
    break;
  }
  sound(b, known, "an action that is not one");
  return action;
}

static void read_condition(struct builder *b) {
  struct seccomp_condition *condition = b->condition++;
  condition->argument = wire_u8(&b->wire);
  condition->comparison = wire_u8(&b->wire);
  condition->width = wire_u8(&b->wire);
  uint8_t padding = wire_u8(&b->wire);
  condition->mask = wire_u64(&b->wire);
  condition->value = wire_u64(&b->wire);
  sound(b, condition->argument < ARGUMENTS && padding == 0, "a condition on an argument that no system call has");
  sound(b, condition->comparison >= SECCOMP_NOT_EQUAL && condition->comparison <= SECCOMP_MASKED_EQUAL, "an unknown comparison");
  sound(b, condition->comparison == SECCOMP_MASKED_EQUAL || condition->mask == 0, "a mask where none is used");
  sound(b, condition->width == 64 || (condition->width == 32 && ((condition->mask | condition->value) >> 32) == 0),
        "a condition that does not fit its width");
}

static void read_alternative(struct builder *b) {
  struct seccomp_alternative *alternative = b->alternative++;
  alternative->action = read_action(b);
  alternative->condition_count = wire_count(&b->wire, CONDITION_BYTES, ARGUMENTS * 2);
  alternative->conditions = b->condition;
  sound(b, alternative->condition_count > 0, "an alternative without a condition");
  for (uint32_t i = 0; i < alternative->condition_count && goes_on(b); i++)
    read_condition(b);
}

static void read_range(struct builder *b, const struct seccomp_range *previous) {
  struct seccomp_range *range = b->range++;
  range->first = wire_u32(&b->wire);
  range->last = wire_u32(&b->wire);
  range->verdict.action = read_action(b);
  range->verdict.alternative_count = wire_count(&b->wire, ALTERNATIVE_BYTES, SECCOMP_RULES_MAX);
  range->verdict.alternatives = b->alternative;
  sound(b, range->first <= range->last && (!previous || range->first > previous->last), "ranges that are not in order");
  for (uint32_t i = 0; i < range->verdict.alternative_count && goes_on(b); i++)
    read_alternative(b);
}

static void read_architecture(struct builder *b, const struct seccomp_rules *rules) {
  struct seccomp_architecture *architecture = b->architecture++;
  architecture->audit = wire_u32(&b->wire);
  architecture->range_count = wire_count(&b->wire, RANGE_BYTES, SECCOMP_RULES_MAX);
  architecture->ranges = b->range;
  for (const struct seccomp_architecture *other = rules->architectures; other < architecture && goes_on(b); other++)
    sound(b, other->audit != architecture->audit, "an architecture that is listed twice");
  for (uint32_t i = 0; i < architecture->range_count && goes_on(b); i++)
    read_range(b, i == 0 ? NULL : b->range - 1);
}

static bool allocate(struct builder *b, struct seccomp_rules *rules, size_t length) {
  size_t architectures = length / ARCHITECTURE_BYTES, ranges = length / RANGE_BYTES;
  size_t alternatives = length / ALTERNATIVE_BYTES, conditions = length / CONDITION_BYTES;
  // Conditions first: they have the widest members.
  rules->memory = calloc(1, conditions * sizeof *b->condition + alternatives * sizeof *b->alternative +
                                ranges * sizeof *b->range + architectures * sizeof *b->architecture);
  if (!rules->memory)
    return false;
  b->condition = rules->memory;
  b->alternative = (struct seccomp_alternative *)(b->condition + conditions);
  b->range = (struct seccomp_range *)(b->alternative + alternatives);
  b->architecture = (struct seccomp_architecture *)(b->range + ranges);
  return true;
}

int seccomp_rules_read(const uint8_t *bytes, size_t length, struct seccomp_rules *rules, struct failure *failure) {
  *rules = (struct seccomp_rules){0};
  if (length < 16 || length > SECCOMP_RULES_MAX)
    return fail(failure, "seccomp", EINVAL, "rules of an impossible size");
  // The reader changes strings only, and there are none here.
  struct builder b = {.wire = wire_reader((void *)(uintptr_t)bytes, length)};
  if (!allocate(&b, rules, length))
    return fail(failure, "seccomp", ENOMEM, "rules");
  sound(&b, wire_u32(&b.wire) == SECCOMP_RULES_VERSION, "rules of an unknown version");
  rules->default_action = read_action(&b);
  rules->bad_architecture_action = read_action(&b);
  rules->architectures = b.architecture;
  rules->architecture_count = wire_count(&b.wire, ARCHITECTURE_BYTES, 16);
  sound(&b, rules->architecture_count > 0, "no architecture");
  for (uint32_t i = 0; i < rules->architecture_count && goes_on(&b); i++)
    read_architecture(&b, rules);
  if (wire_done(&b.wire) && !b.complaint)
    return 0;
  seccomp_rules_free(rules);
  return fail(failure, "seccomp", EINVAL, b.complaint ? b.complaint : "rules that are cut short or too long");
}

void seccomp_rules_free(struct seccomp_rules *rules) {
  free(rules->memory);
  *rules = (struct seccomp_rules){0};
}
