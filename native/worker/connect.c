// SPDX-License-Identifier: Apache-2.0
#include "connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fd.h"
#include "sandbox.h"

static bool is_own_user_namespace(int user) {
  struct stat own, other;
  return stat("/proc/self/ns/user", &own) == 0 && fstat(user, &other) == 0 && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

// Who owns a network namespace need not be who uses it: containers can share one.
static int join(int network, struct failure *f) {
  // As in sandbox_join: before anybody in there might see us.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return fail(f, "sandbox", errno, "dumpable");
  cleanup_fd int user = ioctl(network, NS_GET_USERNS);
  if (user < 0)
    return fail(f, "namespace", errno, "the owner of the container's network namespace");
  if (!is_own_user_namespace(user) && setns(user, CLONE_NEWUSER) < 0)
    return fail(f, "namespace", errno, "the owner of the container's network namespace");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (setns(network, CLONE_NEWNET) < 0)
    return fail(f, "namespace", errno, "the container's network namespace");
  close(network);
  return sandbox_drop_capabilities(f);
}

static int connect_to(const struct sockaddr *address, socklen_t length) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  if (connect(fd, address, length) == 0)
    return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

// What refuses on IPv4 may listen on IPv6 only; where there is no IPv6, the first answer is the one to tell.
static int connect_any(uint16_t port, struct failure *f) {
  const struct sockaddr_in four = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const struct sockaddr_in6 six = {
      .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = connect_to((const struct sockaddr *)&four, sizeof four);
  int reason = errno;
  if (fd < 0 && reason == ECONNREFUSED)
    fd = connect_to((const struct sockaddr *)&six, sizeof six);
  if (fd >= 0)
    return fd;
  char detail[32];
  snprintf(detail, sizeof detail, "localhost:%u", port);
  return fail(f, "connect", reason, detail);
}

static int send_descriptor(int channel, int fd, struct failure *f) {
  union {
    char bytes[CMSG_SPACE(sizeof fd)];
    struct cmsghdr aligned;
  } control = {0};
  struct iovec byte = {.iov_base = "", .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return RETRY(sendmsg(channel, &message, MSG_NOSIGNAL)) < 0 ? fail(f, "sendmsg", errno, "the connected socket") : 0;
}

int connect_loopback(int network, uint16_t port, int channel, struct failure *f) {
  if (join(network, f) < 0)
    return -1;
  cleanup_fd int fd = connect_any(port, f);
  return fd < 0 ? -1 : send_descriptor(channel, fd, f);
}
