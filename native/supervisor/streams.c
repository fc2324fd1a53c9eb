// SPDX-License-Identifier: Apache-2.0
#include "streams.h"

#include <sys/ioctl.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

static int fail_stdio(struct program *program, const char *what) {
  return fail(program->failure, "stdio", errno, what);
}

// The first place where ids that the user namespace doesn't have come to light.
static int fail_unmapped(struct program *program, const struct identity *identity) {
  char uid[DECIMAL_SIZE];
  char gid[DECIMAL_SIZE];
  return fail(program->failure, "user", EINVAL, "uid ", decimal(uid, identity->uid), " or gid ",
              decimal(gid, identity->gid), " isn't mapped in the user namespace");
}

// Emulated ids are none to give files to, and the user is root to the kernel.
static bool changes_owner(const struct program *program, const struct identity *identity) {
  return identity->uid != 0 && program->process->id_emulation.length == 0;
}

// Both give the count of `fds`, the supervisor's ends.
static int open_tty(struct program *program, const struct identity *identity, int fds[]) {
  const struct process_request *process = program->process;
  if (program->pty.slave < 0 &&
      pty_open(program->root, process->rows, process->columns, &program->pty, program->failure) < 0)
    return -1;
  int slave = program->pty.slave;
  if (changes_owner(program, identity) && fchown(slave, identity->uid, (gid_t)-1) < 0)
    return errno == EINVAL ? fail_unmapped(program, identity) : fail_stdio(program, "cannot give the tty to the user");
  // Needs a session without a terminal, which setsid has made.
  if (ioctl(slave, TIOCSCTTY, 0) < 0)
    return fail_stdio(program, "cannot take the tty as the controlling terminal");
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(slave, fd) < 0)
      return fail_stdio(program, "dup2");
  fds[0] = program->pty.master;
  return 1;
}

// `fd` becomes one end of a new pipe; the other end, non-blocking, is given.
static int open_pipe(int fd, const struct program *program, const struct identity *identity) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -1;
  cleanup_fd int ours = ends[fd == 0 ? 1 : 0];
  cleanup_fd int theirs = ends[fd == 0 ? 0 : 1];
  if (changes_owner(program, identity) && fchown(theirs, identity->uid, identity->gid) < 0)
    return -1;
  if (dup2(theirs, fd) < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
    return -1;
  return steal_fd(&ours);
}

static int open_pipes(struct program *program, const struct identity *identity, int fds[]) {
  int count = 0;
  if (!program->with_stdin && dup2(program->null, 0) < 0)
    return fail_stdio(program, "dup2");
  for (int fd = program->with_stdin ? 0 : 1; fd <= 2; fd++) {
    fds[count] = open_pipe(fd, program, identity);
    if (fds[count++] < 0)
      return errno == EINVAL ? fail_unmapped(program, identity) : fail_stdio(program, "cannot make a pipe");
  }
  return count;
}

int streams_open(struct program *program, const struct identity *identity) {
  int fds[MOST_FDS];
  bool tty = program->process->flags & HAKO_PROCESS_TTY;
  int count = tty ? open_tty(program, identity, fds) : open_pipes(program, identity, fds);
  if (count < 0)
    return -1;
  // Below init: see `entry` in container.h.
  if (program->process->flags & HAKO_PROCESS_INIT) {
    fds[count] = sys_pidfd_open((pid_t)syscall(SYS_getpid));
    if (fds[count++] < 0)
      return fail_stdio(program, "no pidfd");
  }
  if (program->null_is_new)
    fds[count++] = program->null;
  // Ours are closed by execve, as all else is.
  if (handshake_send_fds(program->handshake, fds, (size_t)count) < 0)
    return fail_stdio(program, "cannot hand over the streams");
  return 0;
}
