// SPDX-License-Identifier: Apache-2.0
#include "id_emulation.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "id_calls.h"
#include "loop.h"

// More than any kernel's structs have so far: a new one may be larger than ours.
#define NOTIFICATION_SIZE 256

struct listener {
  struct watch watch;
  struct credentials initial;
  unsigned given_up_on;
};

static bool structs_fit(void) {
  struct seccomp_notif_sizes sizes = {0};
  return sys_seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 && sizes.seccomp_notif <= NOTIFICATION_SIZE &&
         sizes.seccomp_notif_resp <= NOTIFICATION_SIZE;
}

static void answer(struct listener *listener, const struct seccomp_notif *notification) {
  union {
    struct seccomp_notif_resp response;
    char space[NOTIFICATION_SIZE];
  } out = {.response = {.id = notification->id}};
  struct id_call call = {.notification = notification, .listener = listener->watch.fd, .given_up_on = &listener->given_up_on};
  struct id_answer result = id_call_answer(&call, &listener->initial);
  out.response.val = result.value;
  out.response.error = -result.errnum;
  out.response.flags = result.goes_on ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
  // One that was killed, or interrupted, has no use for it.
  ioctl(listener->watch.fd, SECCOMP_IOCTL_NOTIF_SEND, &out.response);
}

static void ready(struct watch *watch, uint32_t events) {
  struct listener *listener = LOOP_OWNER(watch, struct listener, watch);
  union {
    struct seccomp_notif notification;
    char space[NOTIFICATION_SIZE];
  } in = {0};
  if (events & EPOLLIN) {
    if (ioctl(watch->fd, SECCOMP_IOCTL_NOTIF_RECV, &in.notification) == 0)
      answer(listener, &in.notification);
    return;
  }
  // The last process under the filter has ended.
  loop_close(watch);
  free(listener);
}

int id_emulation_serve(int fd, const struct credentials *initial) {
  cleanup_fd int owned = fd;
  if (!structs_fit()) {
    errno = ENOSYS;
    return -1;
  }
  struct listener *listener = malloc(sizeof *listener);
  if (!listener)
    return -1;
  *listener = (struct listener){.watch = {.fd = owned, .ready = ready}, .initial = *initial};
  if (loop_watch(&listener->watch, EPOLLIN) < 0) {
    free(listener);
    return -1;
  }
  steal_fd(&owned);
  return 0;
}
