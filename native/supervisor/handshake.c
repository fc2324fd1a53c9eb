// SPDX-License-Identifier: Apache-2.0
#include "handshake.h"

#include <poll.h>
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
  if (h->report)
    munmap(h->report, sizeof *h->report);
  h->report = NULL;
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
  if (count == 0)
    message.msg_control = NULL;
  message.msg_controllen = (socklen_t)(count == 0 ? 0 : CMSG_SPACE(count * sizeof(int)));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return RETRY(sendmsg(socket, &message, MSG_NOSIGNAL)) == 1 ? 0 : -1;
}

int handshake_send_fds(const struct handshake *h, const int fds[], size_t count) {
  return send_fds(h->child, fds, count);
}

int handshake_release(const struct handshake *h, int fd, struct failure *failure) {
  // A child that has died meanwhile has more to tell than that it can't be reached.
  if (send_fds(h->supervisor, &fd, fd < 0 ? 0 : 1) == 0 || errno == EPIPE || errno == ECONNRESET)
    return 0;
  return fail(failure, "child", errno, "the process can't be reached");
}

// One message; the descriptors in it go to `fds`. 0 at the end, -1 on a failure.
static ssize_t receive(int fd, int fds[MOST_FDS], size_t *count) {
  union control control;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  ssize_t got = RETRY(recvmsg(fd, &message, MSG_CMSG_CLOEXEC));
  if (got <= 0)
    return got;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), *count * sizeof(int));
  }
  return got;
}

bool handshake_take(const struct handshake *h, int *fd) {
  int fds[MOST_FDS];
  size_t count = 0;
  bool released = receive(h->child, fds, &count) == 1 && count == 1;
  if (released)
    *fd = fds[0];
  return released;
}

static int death(pid_t pid, struct failure *failure) {
  siginfo_t info = {0};
  char number[DECIMAL_SIZE];
  // Left to be reaped by whoever undoes the start.
  if (RETRY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)) < 0)
    return fail(failure, "child", errno, "the process was lost during its set-up");
  if (info.si_code == CLD_EXITED)
    return fail(failure, "child", 0, "the process ended during its set-up");
  return fail(failure, "child", 0, "the process was killed during its set-up by signal ",
              decimal(number, info.si_status), info.si_status == SIGKILL ? " (a memory limit that is too low?)" : "");
}

static int take_fds(const int fds[], size_t count, struct process *out, const struct awaited *awaited,
                    struct failure *failure) {
  size_t streams = awaited->tty ? 1 : awaited->with_stdin ? 3 : 2;
  if (count != streams + (awaited->entry ? 1 : 0) + (awaited->null ? 1 : 0))
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
    *awaited->null = fds[next];
  return 0;
}

int handshake_finish(struct handshake *h, struct process *out, const struct awaited *awaited, struct failure *failure) {
  int fds[MOST_FDS];
  size_t count = 0;
  // Or the end would never come.
  close_fd(&h->child);
  for (;;) {
    struct pollfd wait = {.fd = h->supervisor, .events = POLLIN};
    int ready = RETRY(poll(&wait, 1, awaited->timeout_ms));
    ssize_t got = ready > 0 ? receive(h->supervisor, fds, &count) : 0;
    // Reset: its end is closed, and a release that it had no need of lay there. That is told
    // once, before the messages that it has sent.
    if (ready > 0 && (got > 0 || (got < 0 && errno == ECONNRESET)))
      continue;
    int result = 0;
    if (ready == 0)
      result = fail(failure, "child", ETIMEDOUT, "the process's set-up doesn't end");
    else if (ready < 0 || got < 0)
      result = fail(failure, "child", errno, "nothing can be heard of the process");
    else if (h->report->failure.operation[0]) {
      *failure = h->report->failure;
      result = -1;
    } else if (!h->report->executing)
      result = death(out->pid, failure);
    else
      result = take_fds(fds, count, out, awaited, failure);
    if (result < 0)
      for (size_t i = 0; i < count; i++)
        close_fd(&fds[i]);
    return result;
  }
}
