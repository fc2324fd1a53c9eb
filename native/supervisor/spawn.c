// SPDX-License-Identifier: Apache-2.0
#include "spawn.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

static pid_t clone_child(const struct spawn *how, uint64_t flags, int *pidfd) {
  struct clone_arguments arguments = {.flags = how->unshare | flags, .exit_signal = SIGCHLD};
  // The kernel takes the parent's signal, which is SIGCHLD too, and wants none named.
  if (flags & CLONE_PARENT)
    arguments.exit_signal = 0;
  if (how->cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)how->cgroup;
  }
  if (flags & CLONE_PIDFD)
    arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
  return sys_clone3(&arguments);
}

int set_oom_score(int32_t value, struct failure *failure) {
  char number[DECIMAL_SIZE];
  const char *text = decimal(number, value);
  cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write_all(fd, text, (size_t)(number + DECIMAL_SIZE - 1 - text)) < 0)
    return fail(failure, "oom-score", errno, "cannot set oom_score_adj to ", text);
  return 0;
}

// Everything else that the supervisor has open is closed before anything is done.
// execve would do it too, but a container's own processes may see this one earlier.
int spawn_prune(const struct spawn *how, struct failure *failure) {
  int sorted[MOST_KEPT];
  for (size_t i = 0; i < how->keep_count; i++) {
    size_t at = i;
    for (; at > 0 && sorted[at - 1] > how->keep[i]; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = how->keep[i];
  }
  int next = 3;
  for (size_t i = 0; i < how->keep_count; next = sorted[i++] + 1)
    if (sorted[i] > next && sys_close_range((unsigned)next, (unsigned)sorted[i] - 1, 0) < 0)
      return fail(failure, "child", errno, "close_range");
  return sys_close_range((unsigned)next, ~0u, 0) < 0 ? fail(failure, "child", errno, "close_range") : 0;
}

static int enter(const struct spawn *how, struct failure *failure) {
  // While procfs is still the host's, and its entry not yet root's (see below).
  if (how->oom_score_adj != INT32_MIN && set_oom_score(how->oom_score_adj, failure) < 0)
    return -1;
  // Not a moment of the child's life may find it dumpable: in the container's
  // pid namespace it could be traced, and the host's descriptors taken from it.
  if ((how->unshare & CLONE_NEWUSER) == 0)
    prctl(PR_SET_DUMPABLE, 0);
  if (how->pidfd >= 0 && how->enter && setns(how->pidfd, (int)how->enter) < 0)
    return fail(failure, "namespace", errno, "cannot enter the container's namespaces");
  // The user namespace gives the capabilities with which the others are entered.
  for (int user = 1; user >= 0; user--)
    for (uint32_t i = 0; i < how->join_count; i++) {
      const struct namespace_join *join = &how->joins[i];
      if ((join->type == CLONE_NEWUSER) == user && join->type != CLONE_NEWTIME && setns(join->fd, (int)join->type) < 0)
        return fail(failure, "namespace", errno, "cannot join a namespace of another container");
    }
  return 0;
}

// A pid namespace can be entered only by being born in it, and a user namespace
// not without losing one's own. So an intermediate goes in and makes the child,
// as its sibling (CLONE_PARENT). The intermediate shares the supervisor's memory:
// nothing is copied, and what it finds out needs no telling.
static pid_t spawn_inside(struct spawn *how, int *pidfd, struct failure *failure) {
  // volatile: written behind the compiler's back, between vfork's two returns.
  volatile pid_t child = -1;
  pid_t intermediate = vfork();
  if (intermediate == 0) {
    // Its descriptors are its own. What the child is born with, a container that may
    // trace it (CAP_SYS_PTRACE) has as well.
    if (enter(how, failure) == 0 && spawn_prune(how, failure) == 0) {
      how->pruned = true;
      pid_t made = clone_child(how, CLONE_PARENT, NULL);
      if (made == 0)
        return 0;
      if (made < 0)
        fail(failure, "clone", errno, "cannot make a process in the container's namespaces");
      child = made;
    }
    _exit(0);
  }
  if (intermediate < 0)
    return fail(failure, "clone", errno, "cannot make a process");
  RETRY(waitpid(intermediate, NULL, 0));
  if (child < 0)
    return -1;
  // Ours and not reaped, so the number can't be another's yet.
  *pidfd = sys_pidfd_open(child);
  if (*pidfd < 0) {
    fail(failure, "clone", errno, "no pidfd");
    kill(child, SIGKILL);
    RETRY(waitpid(child, NULL, 0));
    return -1;
  }
  return child;
}

static pid_t spawn_directly(const struct spawn *how, int *pidfd, struct failure *failure) {
  if ((how->unshare & CLONE_NEWUSER) == 0)
    prctl(PR_SET_DUMPABLE, 0);
  pid_t child = clone_child(how, CLONE_PIDFD, pidfd);
  if (child < 0)
    fail(failure, "clone", errno, "cannot make a process with the namespaces asked for");
  return child;
}

pid_t spawn(struct spawn *how, int *pidfd, struct failure *failure) {
  int dumpable = prctl(PR_GET_DUMPABLE);
  bool inside = how->pidfd >= 0 || how->join_count > 0;
  pid_t child = inside ? spawn_inside(how, pidfd, failure) : spawn_directly(how, pidfd, failure);
  if (child != 0)
    prctl(PR_SET_DUMPABLE, dumpable == 1);
  return child;
}
