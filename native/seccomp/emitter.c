// SPDX-License-Identifier: Apache-2.0
#include "emitter.h"

#define JUMP_MAX 255u // a conditional jump's offset has eight bits

static uint32_t emit(struct emitter *e, uint16_t code, uint8_t yes, uint8_t no, uint32_t k) {
  if (e->used == SECCOMP_PROGRAM_MAX) {
    e->full = true;
    return e->used;
  }
  e->used++;
  e->code[SECCOMP_PROGRAM_MAX - e->used] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
  return e->used;
}

static uint32_t emit_return(struct emitter *e, uint32_t action) {
  uint32_t at = emit(e, BPF_RET | BPF_K, 0, 0, action);
  uint32_t slot = 0;
  while (slot < KNOWN_RETURNS && e->returns[slot].at != 0 && e->returns[slot].action != action)
    slot++;
  if (slot == KNOWN_RETURNS)
    slot = e->next_return++ % KNOWN_RETURNS;
  e->returns[slot].action = action;
  e->returns[slot].at = at;
  return at;
}

static uint32_t known_return(const struct emitter *e, uint32_t action) {
  for (uint32_t i = 0; i < KNOWN_RETURNS; i++)
    if (e->returns[i].at != 0 && e->returns[i].action == action)
      return e->returns[i].at;
  return 0;
}

// The place of the target, no further than `distance` from the next instruction;
// one that is further away gets a stepping stone here.
static uint32_t within(struct emitter *e, struct target target, uint32_t distance) {
  if (target.is_action) {
    uint32_t at = known_return(e, target.value);
    return at != 0 && e->used - at <= distance ? at : emit_return(e, target.value);
  }
  if (e->used - target.value <= distance)
    return target.value;
  return emit(e, BPF_JMP | BPF_JA, 0, 0, e->used - target.value);
}

struct target emit_branch(struct emitter *e, uint16_t comparison, uint32_t k, struct target yes, struct target no) {
  if (target_equal(yes, no))
    return yes;
  // A stepping stone for the second moves the first one further away.
  uint32_t yes_at = within(e, yes, JUMP_MAX - 1);
  uint32_t no_at = within(e, no, JUMP_MAX);
  uint32_t at = emit(e, BPF_JMP | BPF_K | comparison, (uint8_t)(e->used - yes_at), (uint8_t)(e->used - no_at), k);
  return (struct target){.value = at};
}

struct target emit_load(struct emitter *e, uint32_t offset) {
  return (struct target){.value = emit(e, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)};
}

struct target emit_mask(struct emitter *e, uint32_t mask) {
  return (struct target){.value = emit(e, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask)};
}

struct target emit_drop(struct emitter *e) {
  if (!e->full)
    e->used--;
  return (struct target){.value = e->used};
}

void emit_entry(struct emitter *e, struct target entry) {
  if (entry.is_action)
    emit_return(e, entry.value);
  else if (entry.value != e->used)
    emit(e, BPF_JMP | BPF_JA, 0, 0, e->used - entry.value);
}
