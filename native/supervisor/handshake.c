// SPDX-License-Identifier: Apache-2.0
#include "handshake.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../common/fd.h"

int handshake_open(struct handshake *h, struct failure *failure) {
  *h = (struct handshake){.supervisor = -1, .child = -1};
  void *page = mmap(NULL, sizeof *h->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return fail(failure, "memory", errno, "no page to share with the container's process");
  h->report = page;
  int pair[2];
  // Whole messages: a release is one, and the descriptors come with one.
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    fail(failure, "clone", errno, "no socket pair");
    handshake_close(h);
    return -1;
  }
  h->supervisor = pair[0];
  h->child = pair[1];
  return 0;
}

void handshake_close(struct handshake *h) {
  close_fd(&h->supervisor);
  close_fd(&h->child);
  while (h->fd_count > 0)
    close_fd(&h->fds[--h->fd_count]);
  if (h->report)
    munmap(h->report, sizeof *h->report);
  h->report = NULL;
  arena_free(&h->told);
}

bool handshake_wait(const struct handshake *h) {
  char byte;
  return RETRY(recv(h->child, &byte, 1, 0)) == 1;
}

bool handshake_supervisor_alive(const struct handshake *h) {
  char byte;
  return recv(h->child, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

union control {
  struct cmsghdr header;
  char space[CMSG_SPACE(MOST_FDS * sizeof(int))];
};

static int send_fds(int socket, const int fds[], size_t count) {
  union control control = {0};
  char byte = 0;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space};
  message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  return RETRY(sendmsg(socket, &message, MSG_NOSIGNAL)) == 1 ? 0 : -1;
}

int handshake_send_fds(const struct handshake *h, const int fds[], size_t count) {
  return send_fds(h->child, fds, count);
}

int handshake_release(const struct handshake *h, int fd, struct failure *failure) {
  // A child that has died meanwhile has more to tell than that it can't be reached.
  ssize_t sent = fd < 0 ? RETRY(send(h->supervisor, "", 1, MSG_NOSIGNAL)) : send_fds(h->supervisor, &fd, 1);
  if (sent >= 0 || errno == EPIPE || errno == ECONNRESET)
    return 0;
  return fail(failure, "child", errno, "the process can't be reached");
}

int handshake_go(const struct handshake *h, const struct go_request *go, struct failure *failure) {
  h->report->go = go;
  return handshake_release(h, -1, failure);
}

// One message; the descriptors in it are added to `fds`. 0 at the end, -1 on a failure.
static ssize_t receive(int fd, int fds[MOST_FDS], size_t *count, int flags) {
  union control control;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  ssize_t got = RETRY(recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags));
  if (got <= 0)
    return got;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < more; i++) {
      int received;
      memcpy(&received, CMSG_DATA(header) + i * sizeof(int), sizeof received);
      if (*count < MOST_FDS)
        fds[(*count)++] = received;
      else
        close(received);
    }
  }
  return got;
}

bool handshake_take(const struct handshake *h, int *fd) {
  int fds[MOST_FDS];
  size_t count = 0;
  bool released = receive(h->child, fds, &count, 0) == 1 && count == 1;
  if (released)
    *fd = fds[0];
  return released;
}

static int killed(int signal, struct failure *failure) {
  char number[DECIMAL_SIZE];
  if (signal == 0)
    return fail(failure, "child", 0, "the process ended during its set-up");
  return fail(failure, "child", 0, "the process was killed during its set-up by signal ", decimal(number, signal),
              signal == SIGKILL ? " (a memory limit that is too low?)" : "");
}

static int death(pid_t pid, struct failure *failure) {
  siginfo_t info = {0};
  // Left to be reaped by whoever undoes the start.
  if (RETRY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)) < 0)
    return fail(failure, "child", errno, "the process was lost during its set-up");
  return killed(info.si_code == CLD_EXITED ? 0 : info.si_status, failure);
}

static int take_fds(struct handshake *h, struct process *out, struct failure *failure) {
  const struct awaited *awaited = &h->awaited;
  const int *fds = h->fds;
  size_t streams = awaited->tty ? 1 : awaited->with_stdin ? 3 : 2;
  if (h->fd_count != streams + (awaited->entry ? 1 : 0) + (awaited->null ? 1 : 0) + (awaited->listener ? 1 : 0))
    return fail(failure, "stdio", 0, "descriptors were lost on the way; is RLIMIT_NOFILE too low?");
  size_t next = 0;
  if (awaited->tty)
    out->tty_master = fds[next++];
  else {
    if (awaited->with_stdin)
      out->stdin_w = fds[next++];
    out->stdout_r = fds[next++];
    out->stderr_r = fds[next++];
  }
  if (awaited->entry)
    *awaited->entry = fds[next++];
  if (awaited->null)
    *awaited->null = fds[next++];
  if (awaited->listener)
    *awaited->listener = fds[next];
  h->fd_count = 0;
  return 0;
}

// With CAP_SYS_PTRACE a container can write there what it likes (docs/isolation.md).
static int take_failure(const struct handshake *h, struct failure *failure) {
  *failure = h->report->failure;
  failure->operation[sizeof failure->operation - 1] = 0;
  failure->detail[sizeof failure->detail - 1] = 0;
  return -1;
}

static int conclude(struct handshake *h, struct process *out, struct failure *failure) {
  if (h->report->failure.operation[0])
    return take_failure(h, failure);
  if (!h->report->executing)
    return h->reaped ? killed(h->signal, failure) : HANDSHAKE_DIED;
  out->uid = h->report->uid;
  out->gid = h->report->gid;
  memcpy(out->groups, h->report->groups, sizeof out->groups);
  uint32_t count = h->report->group_count;
  out->group_count = count < MOST_EMULATED_GROUPS ? count : MOST_EMULATED_GROUPS;
  return take_fds(h, out, failure);
}

int handshake_advance(struct handshake *h, struct process *out, struct failure *failure) {
  for (;;) {
    ssize_t got = receive(h->supervisor, h->fds, &h->fd_count, MSG_DONTWAIT);
    // Reset: its end is closed, and a release that it had no need of lay there. That is told
    // once, before the messages that it has sent.
    if (got > 0 || (got < 0 && errno == ECONNRESET))
      continue;
    if (got < 0 && errno == EAGAIN)
      return h->report->waits && !h->report->go && h->fd_count > 0 ? HANDSHAKE_WAITS : HANDSHAKE_GOES_ON;
    return got < 0 ? fail(failure, "child", errno, "nothing can be heard of the process") : conclude(h, out, failure);
  }
}

int handshake_timed_out(struct failure *failure) {
  return fail(failure, "child", ETIMEDOUT, "the process's set-up doesn't end");
}

int handshake_finish(struct handshake *h, struct process *out, int timeout_ms, struct failure *failure) {
  for (;;) {
    struct pollfd wait = {.fd = h->supervisor, .events = POLLIN};
    int ready = RETRY(poll(&wait, 1, timeout_ms));
    if (ready == 0)
      return handshake_timed_out(failure);
    if (ready < 0)
      return fail(failure, "child", errno, "nothing can be heard of the process");
    int result = handshake_advance(h, out, failure);
    if (result == HANDSHAKE_DIED)
      return death(out->pid, failure);
    if (result != HANDSHAKE_GOES_ON)
      return result;
  }
}
