// SPDX-License-Identifier: Apache-2.0
//
// Writes a BPF program from its last instruction to its first. BPF jumps forward
// only, so whatever an instruction jumps to is there already and its distance is
// known; no jump is ever filled in later.
#ifndef HAKO_SECCOMP_EMITTER_H
#define HAKO_SECCOMP_EMITTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "compile.h"

#define KNOWN_RETURNS 8

// Where to go: an instruction, counted from the end of the program, or a verdict.
struct target {
  bool is_action;
  uint32_t value;
};

struct emitter {
  struct sock_filter *code; // SECCOMP_PROGRAM_MAX, filled from the end
  uint32_t used;
  bool full;
  struct {
    uint32_t action;
    uint32_t at; // 0: free
  } returns[KNOWN_RETURNS];
  uint32_t next_return;
};

static inline struct target action_target(uint32_t action) {
  return (struct target){.is_action = true, .value = action};
}

static inline bool target_equal(struct target a, struct target b) {
  return a.is_action == b.is_action && a.value == b.value;
}

// A conditional jump: BPF_JEQ, BPF_JGE or BPF_JGT of the accumulator with `k`.
struct target emit_branch(struct emitter *e, uint16_t comparison, uint32_t k, struct target yes, struct target no);

// Before what was emitted last: load a word of struct seccomp_data, or mask the accumulator.
struct target emit_load(struct emitter *e, uint32_t offset);
struct target emit_mask(struct emitter *e, uint32_t mask);

// Takes back the instruction that was emitted last, which nothing jumps to yet; gives the one after it.
struct target emit_drop(struct emitter *e);

// Makes sure that the program begins at `entry`.
void emit_entry(struct emitter *e, struct target entry);

#endif
