// SPDX-License-Identifier: Apache-2.0
//
// Rules that the fuzzer shapes are compiled and the program is run on calls that
// the fuzzer chooses, beside an evaluation of the same rules that is as plain as
// can be. The input is used twice: as it is, for what the reader makes of hostile
// bytes, and as choices from which sound rules are made, which it would hardly find.
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../seccomp/compile.h"

#define MOST_RULES 40000
#define ARGUMENTS 6

struct choices {
  const uint8_t *at;
  const uint8_t *end;
};

struct bytes {
  uint8_t data[MOST_RULES];
  size_t used;
};

#define CHECK(condition) \
  do {                   \
    if (!(condition))    \
      abort();           \
  } while (0)

static uint8_t choose(struct choices *c, uint8_t below) {
  return c->at < c->end ? (uint8_t)(*c->at++ % below) : 0;
}

static void put(struct bytes *b, const void *data, size_t size) {
  CHECK(b->used + size <= sizeof b->data);
  memcpy(b->data + b->used, data, size);
  b->used += size;
}

static void put8(struct bytes *b, uint8_t value) {
  put(b, &value, 1);
}

static void put32(struct bytes *b, uint32_t value) {
  put(b, &value, 4);
}

static void put64(struct bytes *b, uint64_t value) {
  put(b, &value, 8);
}

// Few, and at the edges, so that rules and calls meet.
static uint64_t edge(struct choices *c) {
  static const uint64_t edges[] = {0, 1, 2, 38, 39, 40, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000026, 0x7fffffffffffffff,
                                   0x8000000000000000, 0xffffffff00000000, 0xffffffffffffffff, 0xffffffff80000000};
  return edges[choose(c, sizeof edges / sizeof edges[0])];
}

static uint32_t some_action(struct choices *c) {
  static const uint32_t actions[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 38, 0x80000000u, 0, SECCOMP_RET_TRAP};
  uint8_t choice = choose(c, 7);
  // Of the last kind there are more than the compiler keeps in mind.
  return choice < 6 ? actions[choice] : SECCOMP_RET_ERRNO | (2u + choose(c, 255));
}

static void put_condition(struct bytes *b, struct choices *c) {
  uint8_t comparison = (uint8_t)(1 + choose(c, 7));
  uint8_t width = choose(c, 2) ? 64 : 32;
  uint64_t mask = comparison == SECCOMP_MASKED_EQUAL ? edge(c) : 0;
  uint64_t value = edge(c);
  if (width == 32) {
    mask &= 0xffffffff;
    value &= 0xffffffff;
  }
  put8(b, choose(c, ARGUMENTS));
  put8(b, comparison);
  put8(b, width);
  put8(b, 0);
  put64(b, mask);
  put64(b, value);
}

static void put_range(struct bytes *b, struct choices *c, uint32_t first, uint32_t last) {
  put32(b, first);
  put32(b, last);
  put32(b, some_action(c));
  uint8_t alternatives = choose(c, 3) ? 0 : choose(c, 6);
  put32(b, alternatives);
  for (uint8_t i = 0; i < alternatives; i++) {
    put32(b, some_action(c));
    uint8_t conditions = (uint8_t)(1 + choose(c, 3));
    put32(b, conditions);
    for (uint8_t k = 0; k < conditions; k++)
      put_condition(b, c);
  }
}

static void put_architecture(struct bytes *b, struct choices *c, uint32_t audit) {
  put32(b, audit);
  size_t count_at = b->used;
  put32(b, 0);
  uint32_t count = 0;
  uint64_t next = 0;
  uint8_t wanted = choose(c, 60);
  while (count < wanted && next <= UINT32_MAX) {
    uint64_t first = next + (choose(c, 2) ? choose(c, 4) : (uint64_t)choose(c, 8) << 28);
    uint64_t last = first + (choose(c, 2) ? 0 : choose(c, 5)) + (choose(c, 16) == 15 ? 0x40000000 : 0);
    if (last > UINT32_MAX)
      break;
    put_range(b, c, (uint32_t)first, (uint32_t)last);
    next = last + 1;
    count++;
  }
  memcpy(b->data + count_at, &count, 4);
}

static const uint32_t audits[] = {0xc000003e, 0x40000003, 0xc00000b7, 0};

static void make_rules(struct bytes *b, struct choices *c) {
  put32(b, SECCOMP_RULES_VERSION);
  put32(b, some_action(c));
  put32(b, some_action(c));
  uint32_t architectures = 1u + choose(c, 3);
  put32(b, architectures);
  for (uint32_t i = 0; i < architectures; i++)
    put_architecture(b, c, audits[i]);
}

// ── The plain evaluation ──

static uint32_t get32(const uint8_t **at) {
  uint32_t value;
  memcpy(&value, *at, 4);
  *at += 4;
  return value;
}

static bool holds(const uint8_t *condition, const struct seccomp_data *call) {
  uint64_t mask, value, argument = call->args[condition[0]];
  memcpy(&mask, condition + 4, 8);
  memcpy(&value, condition + 12, 8);
  if (condition[2] == 32)
    argument &= 0xffffffff;
  switch (condition[1]) {
  case SECCOMP_NOT_EQUAL:
    return argument != value;
  case SECCOMP_LESS:
    return argument < value;
  case SECCOMP_LESS_OR_EQUAL:
    return argument <= value;
  case SECCOMP_EQUAL:
    return argument == value;
  case SECCOMP_GREATER_OR_EQUAL:
    return argument >= value;
  case SECCOMP_GREATER:
    return argument > value;
  default:
    return (argument & mask) == value;
  }
}

// Reads past one range; sets the verdict when it holds the number.
static void evaluate_range(const uint8_t **at, const struct seccomp_data *call, uint32_t *verdict) {
  uint32_t first = get32(at), last = get32(at), action = get32(at), alternatives = get32(at);
  bool decided = false;
  for (uint32_t i = 0; i < alternatives; i++) {
    uint32_t alternative = get32(at), conditions = get32(at);
    bool all = true;
    for (uint32_t k = 0; k < conditions; k++, *at += 20)
      all = all && holds(*at, call);
    if (all && !decided) {
      action = alternative;
      decided = true;
    }
  }
  if ((uint32_t)call->nr >= first && (uint32_t)call->nr <= last)
    *verdict = action;
}

static uint32_t evaluate(const uint8_t *rules, const struct seccomp_data *call) {
  const uint8_t *at = rules + 4;
  uint32_t verdict = get32(&at), bad = get32(&at), architectures = get32(&at);
  for (uint32_t i = 0; i < architectures; i++) {
    uint32_t audit = get32(&at), ranges = get32(&at), found = verdict;
    for (uint32_t k = 0; k < ranges; k++)
      evaluate_range(&at, call, &found);
    if (audit == call->arch)
      return found;
  }
  return bad;
}

// ── The program ──

static uint32_t run(const struct seccomp_program *program, const struct seccomp_data *call) {
  uint32_t a = 0;
  for (size_t pc = 0;; pc++) {
    CHECK(pc < program->length);
    const struct sock_filter *i = &program->instructions[pc];
    switch (i->code) {
    case BPF_LD | BPF_W | BPF_ABS:
      memcpy(&a, (const uint8_t *)call + i->k, 4);
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      a &= i->k;
      break;
    case BPF_JMP | BPF_JA:
      pc += i->k;
      break;
    case BPF_JMP | BPF_JEQ | BPF_K:
      pc += a == i->k ? i->jt : i->jf;
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      pc += a >= i->k ? i->jt : i->jf;
      break;
    case BPF_JMP | BPF_JGT | BPF_K:
      pc += a > i->k ? i->jt : i->jf;
      break;
    case BPF_RET | BPF_K:
      return i->k;
    default:
      abort();
    }
  }
}

// What the kernel's own checker asks (seccomp_check_filter, bpf_check_classic).
static void check_valid(const struct seccomp_program *program) {
  CHECK(program->length > 0 && program->length <= SECCOMP_PROGRAM_MAX);
  CHECK(program->instructions[program->length - 1].code == (BPF_RET | BPF_K));
  for (size_t pc = 0; pc < program->length; pc++) {
    const struct sock_filter *i = &program->instructions[pc];
    if (BPF_CLASS(i->code) == BPF_LD)
      CHECK(i->k % 4 == 0 && i->k + 4 <= sizeof(struct seccomp_data));
    if (i->code == (BPF_JMP | BPF_JA))
      CHECK(i->k < program->length - pc - 1);
    else if (BPF_CLASS(i->code) == BPF_JMP)
      CHECK(i->jt < program->length - pc - 1 && i->jf < program->length - pc - 1);
  }
}

static uint32_t some_number(struct choices *c, const struct bytes *rules) {
  // A word of the rules is most likely a range's end, or next to one.
  size_t words = rules->used / 4;
  size_t word = ((size_t)choose(c, 255) << 8 | choose(c, 255)) % words;
  uint32_t value;
  memcpy(&value, rules->data + word * 4, 4);
  return value + choose(c, 3) - 1u;
}

static void compare(const struct bytes *rules, struct choices *c) {
  static struct seccomp_program program;
  struct failure failure = {0};
  if (seccomp_compile(rules->data, rules->used, &program, &failure) < 0) {
    CHECK(failure.errnum == E2BIG);
    return;
  }
  check_valid(&program);
  for (int i = 0; i < 64; i++) {
    struct seccomp_data call = {.arch = audits[choose(c, 4)], .nr = (int)some_number(c, rules)};
    for (int k = 0; k < ARGUMENTS; k++)
      call.args[k] = edge(c) + (choose(c, 2) ? 0 : choose(c, 3) - 1ull);
    CHECK(run(&program, &call) == evaluate(rules->data, &call));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct seccomp_program program;
  static struct bytes rules;
  struct failure failure = {0};
  if (seccomp_compile(data, size, &program, &failure) == 0)
    check_valid(&program);
  struct choices choices = {.at = data, .end = data + size};
  rules.used = 0;
  make_rules(&rules, &choices);
  // What is left of the input chooses the calls; from its start again when that is too little.
  if (choices.end - choices.at < 1024)
    choices.at = data;
  compare(&rules, &choices);
  return 0;
}
