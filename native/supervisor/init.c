// SPDX-License-Identifier: Apache-2.0
#include "init.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "credentials.h"
#include "title.h"

static int status_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void reap(pid_t program) {
  for (;;) {
    int status;
    pid_t ended = waitpid(-1, &status, WNOHANG);
    if (ended <= 0)
      return;
    if (ended == program)
      _exit(status_code(status));
  }
}

_Noreturn static void serve(pid_t program) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int signal = sigwaitinfo(&all, &info);
    if (signal == SIGCHLD)
      reap(program);
    // A program that has made process groups passes signals on itself.
    else if (signal > 0)
      kill(program, signal);
  }
}

int init_split(struct program *program, const struct identity *identity) {
  // Blocked before there is a child: no SIGCHLD can be missed, and as pid 1 no
  // signal has a default action that would end us.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  program->init = getpid();
  pid_t child = fork();
  if (child < 0)
    return fail(program->failure, "child", errno, "cannot make the program's process below init");
  if (child == 0)
    return 0;
  // It keeps no way to the host and no power that the program doesn't have, but
  // the supervisor's death must still be its own.
  if (credentials_apply(identity, program->process, 0, program->failure) < 0)
    _exit(1);
  // Not the program's filter, which may forbid waiting, forwarding and exiting: this code
  // is none of the image's, executes nothing and reads nothing but signals.
  if ((program->process->flags & HAKO_PROCESS_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    _exit(1);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // In another's pid namespace orphans would pass it by.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!handshake_supervisor_alive(program->handshake))
    _exit(1);
  prctl(PR_SET_NAME, "hako-init");
  title_set("init"); // and with it goes the embedder's environment
  if (fchdir(program->root) < 0 || sys_close_range(0, ~0u, 0) < 0)
    _exit(1);
  serve(child);
}
