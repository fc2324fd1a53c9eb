// SPDX-License-Identifier: Apache-2.0
//
// What the supervisor and a process that it has just made say to each other
// before execve. Reports go through one shared page, since a seccomp filter may
// forbid every call with which they could be sent; a socket pair carries
// descriptors, and its end tells both sides that the other is through: execve
// closes the child's, death closes either.
#ifndef HAKO_HANDSHAKE_H
#define HAKO_HANDSHAKE_H

#include <stdbool.h>
#include <sys/types.h>

#include "container.h"

#define MOST_FDS 5 // that a child hands over

struct report {
  struct failure failure; // operation "": none
  bool executing;         // the child came as far as execve
  uid_t uid;
  gid_t gid;
};

struct handshake {
  struct report *report; // shared
  int supervisor;
  int child;
};

int handshake_open(struct handshake *h, struct failure *failure);
void handshake_close(struct handshake *h);

// The child's side. Waiting gives false when the supervisor is gone or has given up.
bool handshake_wait(const struct handshake *h);
// Waits for a release that brings a descriptor.
bool handshake_take(const struct handshake *h, int *fd);
bool handshake_supervisor_alive(const struct handshake *h);
int handshake_send_fds(const struct handshake *h, const int fds[], size_t count);

// The supervisor's side: lets the child go past its next handshake_wait; with
// a descriptor (else -1) past its handshake_take.
int handshake_release(const struct handshake *h, int fd, struct failure *failure);

struct awaited {
  bool tty;
  bool with_stdin;
  int *entry; // a pidfd comes after the streams; or NULL
  int *null;  // then /dev/null; or NULL
  int timeout_ms;
};

// Waits for execve and takes the child's descriptors into `out`. Gives -1 with the
// child's own failure, or when it died or was silent for too long.
int handshake_finish(struct handshake *h, struct process *out, const struct awaited *awaited, struct failure *failure);

#endif
