// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define IDLE_MS 200

static int epoll_fd = -1;
static struct timer *timers;
static bool busy; // since `idle` was last called

int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int loop_init(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return epoll_fd < 0 ? -1 : 0;
}

static int control(struct watch *watch, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = watch};
  return epoll_ctl(epoll_fd, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event);
}

int loop_watch(struct watch *watch, uint32_t interest) {
  if (watch->registered && !watch->muted && watch->interest == interest)
    return 0;
  if (control(watch, interest) < 0)
    return -1;
  watch->registered = true;
  watch->muted = false;
  watch->interest = interest;
  return 0;
}

void loop_mute(struct watch *watch) {
  if (!watch->registered || watch->muted)
    return;
  // A hang-up is told of whatever is asked for, but by its edge only once.
  control(watch, EPOLLET);
  watch->muted = true;
}

void loop_close(struct watch *watch) {
  // By hand: a child that has not reached its exec yet holds a copy of the
  // descriptor, and epoll forgets only what was closed everywhere.
  if (watch->registered)
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
  watch->registered = false;
  if (watch->fd >= 0)
    close(watch->fd);
  watch->fd = -1;
}

void loop_set_timer(struct timer *timer, int64_t after_ns) {
  if (timer->deadline == 0) {
    timer->next = timers;
    timers = timer;
  }
  timer->deadline = monotonic_ns() + after_ns;
}

void loop_clear_timer(struct timer *timer) {
  if (timer->deadline == 0)
    return;
  struct timer **link = &timers;
  while (*link != timer)
    link = &(*link)->next;
  *link = timer->next;
  timer->deadline = 0;
}

static struct timer *earliest_timer(void) {
  struct timer *earliest = timers;
  for (struct timer *timer = timers; timer; timer = timer->next) {
    if (timer->deadline < earliest->deadline)
      earliest = timer;
  }
  return earliest;
}

static int wait_ms(const struct timer *earliest) {
  int64_t wait = busy ? IDLE_MS : -1;
  if (earliest) {
    int64_t until = (earliest->deadline - monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;
    if (until < 0)
      until = 0;
    if (wait < 0 || until < wait)
      wait = until;
  }
  return (int)wait;
}

void loop_turn(void (*idle)(void)) {
  // One event at a time: whatever its handler closes or frees, no other event of
  // the same batch can point to it. epoll itself takes turns among those ready.
  struct epoll_event event;
  int count = epoll_wait(epoll_fd, &event, 1, wait_ms(earliest_timer()));
  if (count == 1) {
    struct watch *watch = event.data.ptr;
    busy = true;
    if (!watch->muted)
      watch->ready(watch, event.events);
  } else if (count == 0 && busy) {
    busy = false;
    idle();
  }
  struct timer *earliest = earliest_timer(); // the handler may have ended the one waited for
  if (earliest && earliest->deadline <= monotonic_ns()) {
    loop_clear_timer(earliest);
    earliest->expired(earliest);
  }
}
