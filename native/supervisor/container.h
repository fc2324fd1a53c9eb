// SPDX-License-Identifier: Apache-2.0
//
// A container's first process, the ones that are executed beside it, and what
// they leave behind. The supervisor is the parent of all of them: it waits for
// them through their pidfds.
#ifndef HAKO_CONTAINER_H
#define HAKO_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "id_table.h"
#include "request.h"

// Descriptors are -1 where there is none, non-blocking, and the caller's to
// close. With a tty only tty_master is there, else the pipes are.
struct process {
  pid_t pid; // in the supervisor's pid namespace
  int pidfd;
  uint64_t start_ticks; // proc_pid_stat(5), field 22
  int64_t started_at;   // ns since the epoch, when execve had succeeded
  uid_t uid;            // inside the container
  gid_t gid;
  uint32_t group_count;
  gid_t groups[MOST_EMULATED_GROUPS];
  int listener; // of the id emulation
  int stdin_w;
  int stdout_r;
  int stderr_r;
  int tty_master;
};

struct container {
  struct process init;
  uint32_t namespaces; // CLONE_NEW* in which it differs from the supervisor
  int entry;           // with HAKO_PROCESS_INIT: a pidfd of the program below it, see container_entry; else -1
  int null;            // /dev/null for execs, see setup_open_null
  int oom_fd;          // -1: nothing to tell by
  char oom_key[32];
  uint64_t oom_count; // at the start
  char *cgroups;      // directories that were made: each with its NUL, in the order made
  size_t cgroups_length;
  size_t adopted; // where in `cgroups` those begin that came after the start
};

struct handshake;

typedef int start_hook(const struct start_request *request, struct failure *failure);

// Gives 0 once execve has succeeded. Gives -1 with the failure, and with all
// that was made undone (cgroups, the process), otherwise. The extra descriptors
// that the request joins stay open: they are the caller's. `meanwhile` does what
// has to be done before the program runs, beside the building of its root; it
// gives 0, or -1 with the failure.
//
// With HAKO_START_WAIT: once the process waits to be told what to run. Then comes
// container_go, which gives the same, or container_undo; `handshake` is for them alone.
int container_start(struct start_request *request, start_hook *meanwhile, struct container *out,
                    struct handshake *handshake, struct failure *failure);
int container_go(struct container *container, struct handshake *handshake, const struct go_request *go,
                 struct failure *failure);
void container_undo(struct container *container, struct handshake *handshake);

// The process through which the namespaces are entered. Not an init of ours: its
// memory belongs to the host's user namespace, so an ordinary user may not.
static inline int container_entry(const struct container *container) {
  return container->entry >= 0 ? container->entry : container->init.pidfd;
}

// A further process in the namespaces and with the root of a running container. Gives 0
// when it is on its way, which a container can make as long as it likes (a FUSE of its
// own, a freezer, SIGSTOP): the handshake is to be polled, and closed in the end.
int container_exec(const struct container *container, const struct exec_request *request, struct process *out,
                   struct handshake *handshake, struct failure *failure);

// As handshake_advance: 0 once execve has succeeded.
int container_executed(struct process *out, struct handshake *handshake, struct failure *failure);

// Kills a process that has not come so far, and closes its descriptors. It is reaped as
// an orphan: one that is frozen dies only when it is thawed.
void container_abandon(struct process *process);

// A further cgroup of this container's: see HAKO_GROUP. What runs is the caller's to put in.
int container_adopt(struct container *container, const char *directory, struct failure *failure);

// Lets it go on if it is frozen.
void container_thaw(const struct container *container);

// By how much the kernel's count of OOM kills grew since the start. Before container_cleanup.
uint64_t container_oom_kills(const struct container *container);

// After the first process was reaped: kills what is left in the cgroups, removes
// them deepest first and closes what the container holds but `init`'s descriptors.
// Takes up to two seconds with processes that don't die; false: a cgroup is still there.
bool container_cleanup(struct container *container);

#endif
