// SPDX-License-Identifier: Apache-2.0
#include "signals.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "loop.h"
#include "reaper.h"

static void (*on_terminate)(void);

static void signal_ready(struct watch *watch, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info;
  while (read(watch->fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD)
      reap_children();
    else
      on_terminate();
  }
}

int signals_init(void (*terminate)(void)) {
  static struct watch watch;
  on_terminate = terminate;
  for (int number = 1; number < _NSIG; number++)
    signal(number, SIG_DFL); // fails for SIGKILL, SIGSTOP and the libc's own
  sigset_t set;
  sigfillset(&set);
  if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
    return -1;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  watch = (struct watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signal_ready};
  return watch.fd < 0 ? -1 : loop_watch(&watch, EPOLLIN);
}
