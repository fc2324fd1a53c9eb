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
#include "id_table.h"

#define MOST_FDS 6 // that a child hands over

struct report {
  struct failure failure; // operation "": none
  bool executing;         // the child came as far as execve
  bool waits;             // it has its streams, and is to be told what to run
  const struct go_request *go; // then: what it was told
  uid_t uid;
  gid_t gid;
  uint32_t group_count; // of the groups that the id emulation has room for
  gid_t groups[MOST_EMULATED_GROUPS];
};

struct awaited {
  bool tty;
  bool with_stdin;
  int *entry; // a pidfd comes after the streams; or NULL
  int *null;  // then /dev/null; or NULL
  int *listener; // of the id emulation, in a message of its own; or NULL
};

struct handshake {
  struct report *report; // shared
  struct arena told; // for HAKO_START_WAIT: shared, `go` lies in it
  int supervisor;
  int child;

  // The supervisor's side.
  struct awaited awaited;
  int fds[MOST_FDS]; // that came, until they are taken
  size_t fd_count;
  bool reaped; // the child was reaped already
  int signal;  // by which it was killed, or 0
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

// Takes what has come, up to execve: then the child's descriptors and ids go into `out`.
// Else one of these, or -1 with the failure, which is the child's own mostly. `child` has
// to be closed before.
#define HANDSHAKE_GOES_ON 1 // `supervisor` can be polled
#define HANDSHAKE_DIED 2    // of what, `reaped` and `signal` have to tell: then again
#define HANDSHAKE_WAITS 3   // for handshake_go

int handshake_advance(struct handshake *h, struct process *out, struct failure *failure);

int handshake_timed_out(struct failure *failure);

// Lets a process go on that waits to be told what to run.
int handshake_go(const struct handshake *h, const struct go_request *go, struct failure *failure);

// As handshake_advance, but waits; -1 also when nothing came for `timeout_ms`.
int handshake_finish(struct handshake *h, struct process *out, int timeout_ms, struct failure *failure);

#endif
