// SPDX-License-Identifier: Apache-2.0
#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/failure.h"
#include "../common/fd.h"
#include "../protocol.h"
#include "loop.h"

// connect(2) to a unix socket fails at once when as many are waiting. A burst of
// execs must not, even if it comes while the supervisor is busy starting one.
#define BACKLOG 1024

#define PAUSE 100000000ll // ns, for want of a descriptor or memory

static void (*on_connected)(int fd);
static void pause_expired(struct timer *timer);
static struct timer pause_timer = {.expired = pause_expired};

static bool is_trusted(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

// False: nobody is waiting, or there is no descriptor for the one who is.
static bool accept_one(struct watch *watch) {
  int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    // The connection stays pending, and would be reported without end.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      loop_mute(watch);
      loop_set_timer(&pause_timer, PAUSE);
    }
    return errno == ECONNABORTED || errno == EINTR;
  }
  if (is_trusted(fd))
    on_connected(fd);
  else
    close(fd);
  return true;
}

static void listener_ready(struct watch *watch, uint32_t events) {
  (void)events;
  accept_one(watch);
}

static struct watch listener = {.fd = -1, .ready = listener_ready};

static void pause_expired(struct timer *timer) {
  (void)timer;
  loop_watch(&listener, EPOLLIN);
}

// Through the descriptor, as the directory's own path may be longer than an
// address can be, or may have been renamed.
static struct sockaddr_un address_in(int directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char number[DECIMAL_SIZE];
  strcpy(address.sun_path, "/proc/self/fd/");
  strcat(address.sun_path, decimal(number, directory));
  strcat(address.sun_path, "/" HAKO_CONTROL_SOCKET);
  return address;
}

int control_socket_open(int directory, void (*connected)(int fd)) {
  cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = address_in(directory);
  unlinkat(directory, HAKO_CONTROL_SOCKET, 0); // of a supervisor that was killed
  // bind(2) makes the file with the mode of the socket's own inode, so it is never wider.
  if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return -1;
  on_connected = connected;
  listener.fd = fd;
  if (listen(fd, BACKLOG) < 0 || loop_watch(&listener, EPOLLIN) < 0) {
    listener.fd = -1;
    unlinkat(directory, HAKO_CONTROL_SOCKET, 0);
    return -1;
  }
  steal_fd(&fd);
  return 0;
}

static void close_listener(void) {
  loop_clear_timer(&pause_timer);
  loop_close(&listener);
}

void control_socket_close(int directory) {
  if (listener.fd < 0)
    return;
  unlinkat(directory, HAKO_CONTROL_SOCKET, 0);
  close_listener();
}

void control_socket_last_call(int directory) {
  unlinkat(directory, HAKO_CONTROL_SOCKET, 0);
  for (int i = 0; i < BACKLOG && accept_one(&listener); i++)
    ;
  close_listener();
}
