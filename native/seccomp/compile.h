// SPDX-License-Identifier: Apache-2.0
//
// Resolved seccomp rules → a classic BPF program (seccomp(2), filter mode).
//
// The rules, as bytes; integers are little-endian and unsigned:
//
//     u32 SECCOMP_RULES_VERSION
//     u32 default action                  for numbers that no range holds
//     u32 bad-architecture action         for calls by an architecture that is not listed
//     list<architecture>                  u32 count · elements; at least one
//
//     architecture: u32 AUDIT_ARCH_* · list<range>
//     range:        u32 first · u32 last · u32 action · list<alternative>
//     alternative:  u32 action · list<condition>
//     condition:    u8 argument (0–5) · u8 enum seccomp_operator · u8 width (32 or 64) · u8 0 · u64 mask · u64 value
//
// Ranges of numbers are ascending and don't overlap. Of a range's alternatives
// the first whose conditions all hold decides; if there is none, the range's
// action does. An action is a SECCOMP_RET_* with its data.
//
// x32 is no architecture of its own to the kernel: its numbers are x86_64's with
// bit 30 set, so ranges say what becomes of them.
//
// Comparisons are of unsigned numbers. A condition of width 32 looks at the low
// half of the argument only: that is what the kernel does with an argument of type
// int, whatever the high half holds. Width 64 compares all of it, as libseccomp
// always does; there, socket((1 << 32) + 38, …) is not socket(38, …).
#ifndef HAKO_SECCOMP_COMPILE_H
#define HAKO_SECCOMP_COMPILE_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/failure.h"

#define SECCOMP_RULES_VERSION 1u
#define SECCOMP_PROGRAM_MAX 4096u // BPF_MAXINSNS

enum seccomp_operator {
  SECCOMP_NOT_EQUAL = 1,
  SECCOMP_LESS = 2,
  SECCOMP_LESS_OR_EQUAL = 3,
  SECCOMP_EQUAL = 4,
  SECCOMP_GREATER_OR_EQUAL = 5,
  SECCOMP_GREATER = 6,
  SECCOMP_MASKED_EQUAL = 7, // (argument & mask) == value; the mask is 0 with all others
};

struct seccomp_program {
  struct sock_filter instructions[SECCOMP_PROGRAM_MAX];
  size_t length;
};

// Gives 0, or -1 with the failure: EINVAL for rules that are not sound, E2BIG for
// rules that take more instructions than the kernel allows.
int seccomp_compile(const uint8_t *rules, size_t length, struct seccomp_program *program, struct failure *failure);

#endif
