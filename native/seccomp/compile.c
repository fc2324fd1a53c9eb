// SPDX-License-Identifier: Apache-2.0
#include "compile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "emitter.h"
#include "rules.h"

#define NUMBER_OFFSET offsetof(struct seccomp_data, nr)
#define ARCHITECTURE_OFFSET offsetof(struct seccomp_data, arch)

// A run of numbers with one verdict, up to the next run's first. One number in
// it may have another: that costs one comparison, two further runs would cost two.
struct run {
  struct seccomp_verdict verdict;
  struct seccomp_verdict exceptional;
  uint32_t first;
  uint32_t exception;
  bool has_exception;
};

struct runs {
  struct run *items;
  size_t count;
};

static uint32_t low(uint64_t value) {
  return (uint32_t)value;
}

static uint32_t high(uint64_t value) {
  return (uint32_t)(value >> 32);
}

// seccomp_data.args is in the machine's own order, and both of ours are little-endian.
static uint32_t low_offset(uint8_t argument) {
  return (uint32_t)offsetof(struct seccomp_data, args) + 8u * argument;
}

static uint32_t high_offset(uint8_t argument) {
  return low_offset(argument) + 4;
}

// Load, mask if there is something to mask, compare.
static struct target emit_test(struct emitter *e, uint32_t offset, uint32_t mask, uint16_t comparison, uint32_t value,
                               struct target yes, struct target no) {
  struct target test = emit_branch(e, comparison, value, yes, no);
  if (target_equal(yes, no))
    return test;
  if (mask != UINT32_MAX)
    emit_mask(e, mask);
  return emit_load(e, offset);
}

static struct target emit_equal(struct emitter *e, const struct seccomp_condition *c, uint64_t mask, struct target yes,
                                struct target no) {
  if ((c->value & ~mask) != 0)
    return no;
  struct target test = low(mask) == 0 ? yes : emit_test(e, low_offset(c->argument), low(mask), BPF_JEQ, low(c->value), yes, no);
  if (c->width == 32 || high(mask) == 0)
    return test;
  return emit_test(e, high_offset(c->argument), high(mask), BPF_JEQ, high(c->value), test, no);
}

// argument > value (or ≥): decided by the high halves unless they are equal.
static struct target emit_greater(struct emitter *e, const struct seccomp_condition *c, uint16_t comparison,
                                  struct target yes, struct target no) {
  struct target test = emit_test(e, low_offset(c->argument), UINT32_MAX, comparison, low(c->value), yes, no);
  if (c->width == 32)
    return test;
  struct target same = emit_branch(e, BPF_JEQ, high(c->value), test, no);
  return emit_test(e, high_offset(c->argument), UINT32_MAX, BPF_JGT, high(c->value), yes, same);
}

static struct target emit_condition(struct emitter *e, const struct seccomp_condition *c, struct target yes,
                                    struct target no) {
  switch (c->comparison) {
  case SECCOMP_NOT_EQUAL:
    return emit_equal(e, c, UINT64_MAX, no, yes);
  case SECCOMP_EQUAL:
    return emit_equal(e, c, UINT64_MAX, yes, no);
  case SECCOMP_MASKED_EQUAL:
    return emit_equal(e, c, c->mask, yes, no);
  case SECCOMP_LESS:
    return emit_greater(e, c, BPF_JGE, no, yes);
  case SECCOMP_LESS_OR_EQUAL:
    return emit_greater(e, c, BPF_JGT, no, yes);
  case SECCOMP_GREATER_OR_EQUAL:
    return emit_greater(e, c, BPF_JGE, yes, no);
  default:
    return emit_greater(e, c, BPF_JGT, yes, no);
  }
}

// The one word that an alternative looks at, or 0: after it failed, the accumulator still holds that word.
static uint32_t only_word(const struct seccomp_alternative *alternative) {
  const struct seccomp_condition *c = &alternative->conditions[0];
  bool simple = alternative->condition_count == 1 && c->width == 32 && c->comparison != SECCOMP_MASKED_EQUAL;
  return simple ? low_offset(c->argument) : 0;
}

static struct target emit_alternative(struct emitter *e, const struct seccomp_alternative *alternative,
                                      struct target otherwise) {
  struct target yes = action_target(alternative->action);
  for (uint32_t k = alternative->condition_count; k-- > 0;)
    yes = emit_condition(e, &alternative->conditions[k], yes, otherwise);
  return yes;
}

static struct target emit_verdict(struct emitter *e, const struct seccomp_verdict *verdict) {
  struct target entry = action_target(verdict->action);
  for (uint32_t i = verdict->alternative_count; i-- > 0;) {
    const struct seccomp_alternative *alternative = &verdict->alternatives[i];
    struct target otherwise = entry;
    entry = emit_alternative(e, alternative, otherwise);
    // A further one on the same word, reached from here alone, needs no load of its own.
    bool again = i > 0 && only_word(alternative) != 0 && only_word(&verdict->alternatives[i - 1]) == only_word(alternative);
    if (again && !target_equal(entry, otherwise))
      entry = emit_drop(e);
  }
  return entry;
}

static struct target emit_run(struct emitter *e, const struct run *run) {
  struct target rest = emit_verdict(e, &run->verdict);
  if (!run->has_exception)
    return rest;
  return emit_branch(e, BPF_JEQ, run->exception, emit_verdict(e, &run->exceptional), rest);
}

static struct target emit_tree(struct emitter *e, const struct run *runs, size_t count) {
  if (count == 1)
    return emit_run(e, runs);
  size_t half = count / 2;
  struct target right = emit_tree(e, runs + half, count - half);
  struct target left = emit_tree(e, runs, half);
  return emit_branch(e, BPF_JGE, runs[half].first, right, left);
}

static bool same_verdict(const struct seccomp_verdict *a, const struct seccomp_verdict *b) {
  return a->alternative_count == 0 && b->alternative_count == 0 && a->action == b->action;
}

static void add_run(struct runs *runs, uint32_t first, const struct seccomp_verdict *verdict) {
  if (runs->count > 0 && same_verdict(&runs->items[runs->count - 1].verdict, verdict))
    return;
  runs->items[runs->count++] = (struct run){.first = first, .verdict = *verdict};
}

static void collect_runs(struct runs *runs, const struct seccomp_architecture *architecture, uint32_t default_action) {
  const struct seccomp_verdict by_default = {.action = default_action};
  uint64_t next = 0; // one past the highest number is more than 32 bits hold
  for (uint32_t i = 0; i < architecture->range_count; i++) {
    const struct seccomp_range *range = &architecture->ranges[i];
    if (range->first > next)
      add_run(runs, (uint32_t)next, &by_default);
    add_run(runs, range->first, &range->verdict);
    next = (uint64_t)range->last + 1;
  }
  if (next <= UINT32_MAX)
    add_run(runs, (uint32_t)next, &by_default);
}

static bool is_exception(const struct runs *runs, size_t i) {
  const struct run *run = &runs->items[i];
  return i > 0 && i + 1 < runs->count && run[1].first - run->first == 1 && same_verdict(&run[-1].verdict, &run[1].verdict);
}

// A run of one number between two that are alike becomes the first one's exception.
static void fold_exceptions(struct runs *runs) {
  size_t kept = 0;
  for (size_t i = 0; i < runs->count;) {
    struct run run = runs->items[i];
    if (i + 1 < runs->count && is_exception(runs, i + 1)) {
      run.has_exception = true;
      run.exception = runs->items[i + 1].first;
      run.exceptional = runs->items[i + 1].verdict;
      // The third run goes on where an exception of its own follows, else it is part of the first.
      i += i + 3 < runs->count && is_exception(runs, i + 3) ? 2 : 3;
    } else {
      i += 1;
    }
    runs->items[kept++] = run;
  }
  runs->count = kept;
}

static struct target emit_architecture(struct emitter *e, const struct seccomp_architecture *architecture,
                                       uint32_t default_action, struct run *memory) {
  struct runs runs = {.items = memory};
  collect_runs(&runs, architecture, default_action);
  fold_exceptions(&runs);
  struct target tree = emit_tree(e, runs.items, runs.count);
  if (tree.is_action)
    return tree;
  // The load goes directly before the tree's root, which was emitted last.
  return emit_load(e, NUMBER_OFFSET);
}

static void emit_program(struct emitter *e, const struct seccomp_rules *rules, struct run *memory) {
  struct target entries[16];
  for (uint32_t i = rules->architecture_count; i-- > 0;)
    entries[i] = emit_architecture(e, &rules->architectures[i], rules->default_action, memory);
  struct target other = action_target(rules->bad_architecture_action);
  for (uint32_t i = rules->architecture_count; i-- > 0;)
    other = emit_branch(e, BPF_JEQ, rules->architectures[i].audit, entries[i], other);
  if (!other.is_action)
    other = emit_load(e, ARCHITECTURE_OFFSET);
  emit_entry(e, other);
}

int seccomp_compile(const uint8_t *bytes, size_t length, struct seccomp_program *program, struct failure *failure) {
  struct seccomp_rules rules;
  if (seccomp_rules_read(bytes, length, &rules, failure) < 0)
    return -1;
  uint32_t most = 0;
  for (uint32_t i = 0; i < rules.architecture_count; i++)
    if (rules.architectures[i].range_count > most)
      most = rules.architectures[i].range_count;
  // A run for each range, one before each and one after the last.
  struct run *memory = calloc(2 * (size_t)most + 1, sizeof *memory);
  struct emitter e = {.code = program->instructions};
  if (memory)
    emit_program(&e, &rules, memory);
  bool out_of_memory = memory == NULL;
  free(memory);
  seccomp_rules_free(&rules);
  if (out_of_memory)
    return fail(failure, "seccomp", ENOMEM, "rules");
  if (e.full)
    return fail(failure, "seccomp", E2BIG, "the profile takes more than the 4096 instructions that the kernel allows");
  program->length = e.used;
  memmove(program->instructions, program->instructions + SECCOMP_PROGRAM_MAX - e.used, e.used * sizeof program->instructions[0]);
  return 0;
}
