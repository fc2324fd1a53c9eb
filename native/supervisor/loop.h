// SPDX-License-Identifier: Apache-2.0
//
// One epoll and one timer list for the whole supervisor: a single thread, no
// call that waits but epoll_wait.
#ifndef HAKO_LOOP_H
#define HAKO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Something that owns a descriptor. Embedded in its owner, which gives itself
// back by container_of in `ready`.
struct watch {
  int fd; // -1: none
  uint32_t interest;
  bool registered, muted;
  void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
  int64_t deadline; // ns by CLOCK_MONOTONIC, 0: not set
  struct timer *next;
  void (*expired)(struct timer *timer);
};

#define LOOP_OWNER(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

int64_t monotonic_ns(void);

int loop_init(void);

// What to be told of: EPOLLIN, EPOLLOUT, or 0 for a hang-up only, which comes
// whether asked for or not, again and again. Returns 0 or -1 with errno.
int loop_watch(struct watch *watch, uint32_t interest);

// Says nothing of the descriptor until it is watched again, which can't fail then.
void loop_mute(struct watch *watch);

// Forgets and closes the descriptor. Safe in any `ready`, of any watch.
void loop_close(struct watch *watch);

void loop_set_timer(struct timer *timer, int64_t after_ns);
void loop_clear_timer(struct timer *timer);

// Waits for one event or timer and tells of it. `idle` is called once when
// nothing has come for a while after some event.
void loop_turn(void (*idle)(void));

#endif
